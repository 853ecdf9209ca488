/// Colours that tell classes apart on a picture.
public enum ClassPalette {
  /// The colour of a class index: always the same for the same index, bright, and far in hue from those of
  /// its neighbours. Any index has one; the first hundred are all different.
  public static func color(forClass index: Int) -> RGBColor {
    // Steps of the golden ratio spread any number of hues evenly; the levels tell near hues apart.
    let number = index.magnitude % 4096
    let hue = (firstHue + Double(number) * 0.618_033_988_749_895).truncatingRemainder(dividingBy: 1)
    let level = levels[Int(number) % levels.count]
    return lifted(color(hue: hue, saturation: level.saturation, value: level.value))
  }

  private static let firstHue = 0.36
  private static let levels: [(saturation: Double, value: Double)] = [(0.85, 0.95), (0.70, 1), (0.95, 0.80)]

  /// The colour, mixed with white where it is so dark (blues are) that its lines would be lost on asphalt.
  private static func lifted(_ color: RGBColor) -> RGBColor {
    let luma = color.luma
    guard luma < darkestLuma else { return color }
    func lift(_ channel: UInt8) -> UInt8 {
      UInt8(Int(channel) + (255 - Int(channel)) * (darkestLuma - luma) / (255_000 - luma))
    }
    return RGBColor(red: lift(color.red), green: lift(color.green), blue: lift(color.blue))
  }

  private static let darkestLuma = 100_000

  /// Hue, saturation and value, each 0…1, to RGB.
  private static func color(hue: Double, saturation: Double, value: Double) -> RGBColor {
    func channel(_ offset: Double) -> UInt8 {
      let position = (offset + hue * 6).truncatingRemainder(dividingBy: 6)
      let dip = max(0, min(position, 4 - position, 1))
      return UInt8((value - value * saturation * dip) * 255)
    }
    return RGBColor(red: channel(5), green: channel(3), blue: channel(1))
  }
}
