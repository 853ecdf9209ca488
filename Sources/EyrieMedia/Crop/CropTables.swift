/// The tables of one crop: along rows and columns, for pixels and for the samples that pixels share.
final class CropTables {
  private let pixelsX = ResampleTable()
  private let pixelsY = ResampleTable()
  private let sharedX = ResampleTable()
  private let sharedY = ResampleTable()

  /// Computes what a layout needs. `false` if memory runs out.
  func prepare(
    _ geometry: CropGeometry, filter: CropTarget.Filter, width: Int, height: Int, layout: CropLayout
  ) -> Bool {
    var (shiftX, shiftY) = (0, 0)
    for group in layout.groups {
      shiftX = max(shiftX, group.shiftX)
      shiftY = max(shiftY, group.shiftY)
    }
    let (x, y) = (geometry.horizontal, geometry.vertical)
    return pixelsX.prepare(x, size: width, shift: 0, filter: filter, isWide: true)
      && pixelsY.prepare(y, size: height, shift: 0, filter: filter, isWide: false)
      && (shiftX == 0 || sharedX.prepare(x, size: width, shift: shiftX, filter: filter, isWide: true))
      && (shiftY == 0 || sharedY.prepare(y, size: height, shift: shiftY, filter: filter, isWide: false))
  }

  /// Along the rows of a group's samples.
  func horizontal(_ group: CropLayout.Group) -> ResampleTable { group.shiftX > 0 ? sharedX : pixelsX }

  /// Both directions of a group's samples.
  func entries(
    _ group: CropLayout.Group
  ) -> (horizontal: ResampleTable.Entries, vertical: ResampleTable.Entries)? {
    guard let horizontal = horizontal(group).entries,
      let vertical = (group.shiftY > 0 ? sharedY : pixelsY).entries
    else { return nil }
    return (horizontal, vertical)
  }
}
