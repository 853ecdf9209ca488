import ArgumentParser

@main
struct Eyrie: AsyncParsableCommand {}
