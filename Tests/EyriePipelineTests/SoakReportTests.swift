import EyrieGraph
import EyrieTestSupport
import Foundation
import Testing

@testable import EyriePipeline

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// `report.html` and `report.json`.
@Suite("The report of a soak", .timeLimit(.minutes(5)))
struct SoakReportTests {
  private let fixture: SoakFixture

  init() throws { fixture = try SoakFixture() }

  @Test("is one well-formed page without anything from elsewhere, and escapes every name")
  func page() async throws {
    let camera = "{input: 'testsrc:64x64@20', pacing: realtime}"
    let pipeline = try fixture.pipeline(
      ["<b>&\"x": camera, "cam": camera], soak: "{max_rss_slope_mb_per_h: 1}")
    _ = try await fixture.soak(fixture.options(pipeline))
    let page = try fixture.page()
    #expect(!page.contains("<b>&") && page.contains("&lt;b&gt;&amp;&quot;x"))
    let body = page.replacing("http://www.w3.org/1999/xhtml", with: "")
    for forbidden in [
      "http:", "https:", "<script", "javascript:", "url(", "@import", "<link", "<img", "src=", "href=",
    ] {
      #expect(!body.contains(forbidden), "\(forbidden)")
    }
    #expect(page.contains("prefers-color-scheme: dark"))
    let elements = try Elements(page)
    // Rates, latency, memory, descriptors, threads, queues, CPU.
    #expect(elements.count(of: "figure") == 7 && elements.count(of: "figcaption") == 7)
    #expect(elements.count(of: "polyline") > 14)
    #expect(elements.count(of: "table") == 2)
  }

  @Test("shows faults in every plot, and what became of them")
  func faults() throws {
    let series = SoakReport.Series(points: (0..<20).map { [Double($0), 1, 2, 3] })
    let resource = SoakReport.Resource(overTime: series)
    var report = SoakReport(
      pipeline: "p.yaml", startedAt: "2026-01-01T00:00:00Z", machineCores: 2, verdict: .pass, cutShort: false,
      durationS: 20, ranS: 20, warmUpS: 2, intervalS: 1,
      process: SoakReport.Process(
        rssMb: resource, rssAnonymousMb: resource, descriptors: resource, threads: resource,
        cpuCores: resource))
    report.chaos = ChaosReport(
      seed: 42, graceS: 3,
      faults: [
        ChaosReport.Fault(
          kind: .sever, target: "cam<1>", atS: 5, lengthS: 2, recoveredAfterS: 0.5, disturbedUntilS: 10),
        ChaosReport.Fault(kind: .stall, target: "ipc://x", atS: 8, lengthS: 2),
      ],
      subscribers: [
        ChaosReport.Subscriber(
          endpoint: "ipc://x", published: 100, droppedByPublisher: 7, received: 80, beforeSubscription: 10,
          lost: 4,
          missingAtEnd: 6, malformed: 0)
      ])
    #expect(report.chaos?.subscribers.first?.uncounted == 3)
    let page = SoakPage(report).html
    let elements = try Elements(page)
    // Four plots have data, each with two faults, the warm-up and two keys.
    #expect(elements.count(of: "rect") == 4 * 5)
    #expect(page.contains("Seed 42") && page.contains("after 0.500 s") && page.contains("cam&lt;1&gt;"))
    let results = ChaosJudge(limits: SoakLimits(), report: try #require(report.chaos)).results
    #expect(results.map(\.name) == ["max_recovery_s", "uncounted_events"])
    #expect(results.map(\.verdict) == [.held, .broken])
    report.chaos?.faults[0].recoveredAfterS = nil
    let lost = ChaosJudge(limits: SoakLimits(), report: try #require(report.chaos)).results
    #expect(lost.first?.verdict == .broken && lost.first?.note?.contains("did not come back") == true)
  }

  @Test("replaces what no page may hold")
  func escaping() {
    #expect(Markup.escaped("a<b>&'\"\u{1B}[0m\u{85}é") == "a&lt;b&gt;&amp;&#39;&quot;\u{FFFD}[0m\u{FFFD}é")
  }

  @Test("tells no credentials")
  func credentials() async throws {
    let address = try Occupied.freeEndpoint().replacing("tcp://", with: "")
    let camera = "{input: 'rtsp://user:hunter2@\(address)/x', open_timeout: 100ms}"
    let pipeline = try fixture.pipeline(["cam": camera])
    _ = try await fixture.soak(fixture.options(pipeline))
    let json = try String(contentsOfFile: fixture.scratch.path("report/report.json"), encoding: .utf8)
    for text in [json, try fixture.page()] {
      #expect(!text.contains("hunter2") && text.contains("127.0.0.1"))
    }
    // Nothing came of it in the whole time.
    #expect(try fixture.written().results("frames").map(\.verdict) == [.broken])
  }
}

/// The elements of a page that is well-formed XML.
private final class Elements: NSObject, XMLParserDelegate {
  struct Malformed: Error {
    let line: Int
  }

  private var counts: [String: Int] = [:]

  init(_ page: String) throws {
    super.init()
    let parser = XMLParser(data: Data(page.utf8))
    parser.delegate = self
    guard parser.parse() else { throw Malformed(line: parser.lineNumber) }
  }

  func count(of name: String) -> Int { counts[name] ?? 0 }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
    attributes: [String: String]
  ) {
    counts[name, default: 0] += 1
  }
}
