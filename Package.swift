// swift-tools-version: 6.2
import PackageDescription

/// Settings of every Swift target. Warnings are errors: the tree is kept free of them.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("ExistentialAny"),
  // An async function without isolation runs where its caller runs, so that a stage on a thread
  // of its own sends to a channel without a hop to the cooperative pool.
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .treatAllWarnings(as: .error),
]

/// On Linux libzmq lies on the default paths, and its pkg-config file names flags (of Kerberos) that SwiftPM
/// warns about at each build.
#if os(Linux)
  let zeroMQPkgConfig: String? = nil
#else
  let zeroMQPkgConfig: String? = "libzmq"
#endif

let package = Package(
  name: "eyrie",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "eyrie", targets: ["eyrie"]),
    .library(name: "EyriePipeline", targets: ["EyriePipeline"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
  ],
  targets: [
    // C libraries of the system, found through pkg-config.
    .systemLibrary(
      name: "CFFmpeg", pkgConfig: "libavformat libavcodec libswscale libavutil",
      providers: [
        .apt(["libavformat-dev", "libavcodec-dev", "libswscale-dev", "libavutil-dev"]), .brew(["ffmpeg"]),
      ]),
    .systemLibrary(name: "COpenVINO", pkgConfig: "openvino", providers: [.brew(["openvino"])]),
    .systemLibrary(
      name: "CZeroMQ", pkgConfig: zeroMQPkgConfig, providers: [.apt(["libzmq3-dev"]), .brew(["zeromq"])]),

    // Five leaves that do not know one another.
    .target(name: "EyrieGraph", swiftSettings: strict),
    .target(name: "EyrieMedia", dependencies: ["CFFmpeg"], swiftSettings: strict),
    .target(
      name: "EyrieInference", dependencies: ["COpenVINO", .product(name: "Yams", package: "Yams")],
      swiftSettings: strict),
    .target(name: "EyrieVision", swiftSettings: strict),
    .target(name: "EyrieEvents", dependencies: ["CZeroMQ"], swiftSettings: strict),

    // What composes them, and the command line.
    .target(
      name: "EyriePipeline",
      dependencies: [
        "EyrieGraph", "EyrieMedia", "EyrieInference", "EyrieVision", "EyrieEvents",
        .product(name: "Yams", package: "Yams"),
      ],
      resources: [.embedInCode("Bench/ultralytics.py")],
      swiftSettings: strict),
    .executableTarget(
      name: "eyrie",
      dependencies: [
        "EyriePipeline", "EyrieGraph", "EyrieInference", "EyrieMedia",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),

    // What the tests of several modules need and no module has: it depends on none.
    .target(name: "EyrieTestTools", path: "Tests/EyrieTestTools", swiftSettings: strict),
    .target(
      name: "EyrieTestSupport",
      dependencies: ["EyriePipeline", "EyrieGraph", "EyrieInference", "EyrieEvents"],
      path: "Tests/EyrieTestSupport",
      swiftSettings: strict),
    // The tracker behind a pipe, for the accuracy test in converters/tests.
    .executableTarget(
      name: "eyrie-track", dependencies: ["EyrieVision"], path: "Tests/EyrieTrackerTool",
      swiftSettings: strict),
    // Counts allocations and times of optimised code, for tests and `make bench-parts`. It puts the counter in front
    // of the C library's allocator, so it is a process of its own.
    .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
    .executableTarget(
      name: "eyrie-measure",
      dependencies: [
        "CAllocationCounter", "EyriePipeline", "EyrieGraph", "EyrieMedia", "EyrieVision", "EyrieEvents",
      ],
      path: "Tests/EyrieMeasureTool", swiftSettings: strict),
    .testTarget(
      name: "EyrieGraphTests", dependencies: ["EyrieGraph", "EyrieTestTools"], swiftSettings: strict),
    .testTarget(
      name: "EyrieMediaTests", dependencies: ["EyrieMedia", "EyrieTestTools"], swiftSettings: strict),
    .testTarget(
      name: "EyrieInferenceTests", dependencies: ["EyrieInference", "EyrieTestSupport"], swiftSettings: strict
    ),
    .testTarget(
      name: "EyrieVisionTests", dependencies: ["EyrieVision", "EyrieTestTools"], swiftSettings: strict),
    .testTarget(
      name: "EyrieEventsTests", dependencies: ["EyrieEvents", "EyrieTestTools"], swiftSettings: strict),
    .testTarget(
      name: "EyriePipelineTests",
      dependencies: [
        "EyriePipeline", "EyrieTestSupport", "EyrieTestTools", "EyrieGraph", "EyrieInference", "EyrieEvents",
        "EyrieMedia", "EyrieVision", "eyrie",
      ],
      exclude: ["Fixtures"],
      swiftSettings: strict),
  ]
)
