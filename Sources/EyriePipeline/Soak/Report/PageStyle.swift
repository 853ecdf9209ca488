/// The style sheet of the report: two sets of colours, of which the reader's browser chooses. Those of lines are
/// told apart by readers who see fewer colours too.
///
/// Source of the colours of lines: M. Okabe and K. Ito, "Color Universal Design", 2008, darkened or lightened for
/// contrast with the ground.
enum PageStyle {
  static let sheet = """
    :root { color-scheme: light dark; --ground: #ffffff; --ink: #1b1f24; --quiet: #5b6570; --rule: #d7dce1;
      --panel: #f5f7f9; --good: #0b7a4b; --bad: #c0281c; --unsure: #8a6100;
      --c0: #0072b2; --c1: #c44e00; --c2: #00805c; --c3: #b0478a; --c4: #846a00; --c5: #3f95c9; --c6: #6f3fb0;
      --c7: #4a4f55; --warm: #8c96a024; --sever: #c0281c38; --delay: #b9860040; --stall: #6f3fb038; }
    @media (prefers-color-scheme: dark) { :root { --ground: #14171a; --ink: #e6e9ec; --quiet: #9aa5b0;
      --rule: #333a41; --panel: #1c2126; --good: #4fd197; --bad: #ff7b6e; --unsure: #e8b84a;
      --c0: #5ab4ff; --c1: #ff9550; --c2: #3fd6a5; --c3: #f09cc8; --c4: #e6c84f; --c5: #9ad8ff; --c6: #bd9cff;
      --c7: #c3c9cf; --warm: #8c96a030; --sever: #ff7b6e48; --delay: #e8b84a40; --stall: #bd9cff40; } }
    body { margin: 0 auto; padding: 1.5rem; max-width: 62rem; background: var(--ground); color: var(--ink);
      font: 15px/1.45 system-ui, sans-serif; }
    h1 { font-size: 1.5rem; margin: 0 0 .2rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
    .verdict { font-weight: 700; padding: .1rem .55rem; border-radius: .3rem; color: var(--ground); }
    .verdict.pass { background: var(--good); } .verdict.fail { background: var(--bad); }
    .about, .unit { color: var(--quiet); } .unit { font-weight: 400; }
    .failure { border-left: .25rem solid var(--bad); padding: .3rem .8rem; background: var(--panel); }
    .wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: 14px; }
    th, td { text-align: left; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--rule);
      font-variant-numeric: tabular-nums; vertical-align: top; } th { color: var(--quiet); font-weight: 600; }
    tr.held td:last-child { color: var(--good); } tr.broken td:last-child { color: var(--bad); font-weight: 700; }
    tr.unsure td:last-child { color: var(--unsure); }
    figure { margin: 1.2rem 0; padding: .8rem; background: var(--panel); border-radius: .4rem; }
    figcaption { font-weight: 600; margin-bottom: .3rem; } svg { display: block; width: 100%; height: auto; }
    svg text { fill: var(--quiet); font: 12px system-ui, sans-serif; } .grid { stroke: var(--rule); }
    .axis { stroke: var(--quiet); } .line { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
    .dashed { stroke-dasharray: 6 4; } .round1 { stroke-dasharray: 2 3; } .round2 { stroke-dasharray: 8 3 2 3; }
    .band { opacity: .18; stroke: none; } .warmup { fill: var(--warm); } .fault-sever { fill: var(--sever); }
    .fault-delay { fill: var(--delay); } .fault-stall { fill: var(--stall); }
    .legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; list-style: none; margin: .4rem 0 0; padding: 0;
      font-size: 13px; } .legend li { display: flex; align-items: center; gap: .4rem; }
    .key { width: 26px; height: 10px; } summary { cursor: pointer; }

    """
    + (0..<LinePlot.colourCount).map { index in
      """
      .line.c\(index) { stroke: var(--c\(index)); } .band.c\(index), .dot.c\(index) { fill: var(--c\(index)); }
      """
    }.joined(separator: "\n")
}
