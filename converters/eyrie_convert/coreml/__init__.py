"""Core ML: settings, conversion from PyTorch, non-maximum suppression, and the Neural Engine."""
