"""What can be converted: how each kind of network is loaded, and how it is laid out for the targets."""
