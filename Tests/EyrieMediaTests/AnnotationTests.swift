import Testing

@testable import EyrieMedia

private let red = RGBColor(red: 255, green: 0, blue: 0)

extension RGBImage {
  /// How many pixels have a colour.
  fileprivate func count(_ color: RGBColor) -> Int {
    (0..<height).reduce(0) { sum, y in sum + (0..<width).count { self.color(x: $0, y: y) == color } }
  }
}

@Suite struct RGBImageTests {
  @Test func picturesThatCannotBeMadeAreRefused() {
    for (width, height) in [(0, 1), (1, 0), (-1, 5), (.max, .max), (1 << 20, 1 << 20), (.min, .min)] {
      #expect(throws: RGBImageError.size(width: width, height: height)) {
        try RGBImage(width: width, height: height)
      }
    }
    #expect(throws: RGBImageError.byteCount(width: 2, height: 2, found: 11)) {
      try RGBImage(width: 2, height: 2, pixels: [UInt8](repeating: 0, count: 11))
    }
  }

  @Test func fillIsClippedOnAllSides() throws {
    let picture = try RGBImage(width: 10, height: 8)
    let cases: [(x: Int, y: Int, width: Int, height: Int, count: Int)] = [
      (2, 3, 4, 2, 8), (-2, -3, 4, 5, 4), (8, 6, 50, 50, 4), (-100, -100, 1000, 1000, 80), (10, 0, 5, 5, 0),
      (0, 8, 5, 5, 0), (3, 3, 0, 5, 0), (3, 3, -4, 5, 0), (.min, .min, .max, .max, 0), (0, 0, .max, .max, 80),
      (.max, .max, .max, .max, 0), (5, 5, .max, 1, 5),
    ]
    for area in cases {
      var copy = picture
      copy.fill(x: area.x, y: area.y, width: area.width, height: area.height, color: red)
      #expect(copy.count(red) == area.count, "\(area)")
    }
    #expect(picture.count(red) == 0)
    #expect(picture.color(x: 10, y: 0) == nil && picture.color(x: 0, y: -1) == nil)
  }

  @Test func rectanglesAreDrawnInwards() throws {
    var picture = try RGBImage(width: 40, height: 30)
    picture.drawRectangle(x: 10, y: 5, width: 20, height: 10, thickness: 2, color: red)
    #expect(picture.count(red) == 20 * 10 - 16 * 6)
    for (x, y) in [(10, 5), (29, 5), (10, 14), (29, 14), (11, 13)] {
      #expect(picture.color(x: x, y: y) == red)
    }
    for (x, y) in [(9, 5), (30, 5), (10, 4), (10, 15), (12, 7)] {
      #expect(picture.color(x: x, y: y) == .black)
    }
  }

  @Test func boxesOffThePictureOrBrokenDrawNothingAndDoNotTrap() throws {
    let picture = try RGBImage(width: 20, height: 20)
    let strange: [Float] = [.nan, .infinity, -.infinity, 1e30, -1e30, .greatestFiniteMagnitude, -5, 1e12]
    for x in strange {
      for width in strange + [10] {
        for thickness in [Int.min, 0, 1, .max] {
          var copy = picture
          copy.drawRectangle(x: x, y: 3, width: width, height: 10, thickness: thickness, color: red)
          copy.drawRectangle(x: 3, y: x, width: 10, height: width, thickness: thickness, color: red)
          copy.drawLabel("car", x: x, y: width, background: red)
        }
      }
    }
    var copy = picture
    copy.drawRectangle(x: .nan, y: 3, width: 5, height: 5, thickness: 2, color: red)
    copy.drawRectangle(x: 30, y: 3, width: 5, height: 5, thickness: 2, color: red)
    copy.drawRectangle(x: 3, y: 3, width: -5, height: 5, thickness: 2, color: red)
    #expect(copy == picture)
    // A box larger than the picture has no edge in it; a tiny one is a dot.
    copy.drawRectangle(x: -50, y: -50, width: 200, height: 200, thickness: 3, color: red)
    #expect(copy == picture)
    copy.drawRectangle(x: 7.2, y: 7.2, width: 0.1, height: 0.1, thickness: 3, color: red)
    #expect(copy.count(red) == 1)
  }
}

@Suite struct DrawnTextTests {
  /// The pixels of one glyph.
  private func pattern(_ character: Character) -> [UInt8] { Array(BitmapFont.glyph(for: character)) }

  @Test func everyASCIICharacterHasAGlyphOfItsOwn() throws {
    let characters = (32...126).map { Character(Unicode.Scalar(UInt8($0))) }
    let patterns = characters.map(pattern)
    #expect(patterns.allSatisfy { $0.count == BitmapFont.glyphHeight })
    #expect(Set(patterns).count == 95)
    #expect(zip(characters, patterns).allSatisfy { $0 == " " || $1.contains { $0 != 0 } })
    // Letters without tails stay above the base line.
    for character in "ABCXYZ0189abcxz" { #expect(pattern(character).suffix(2).allSatisfy { $0 == 0 }) }
    for character in "gjpqy" { #expect(pattern(character).suffix(2).contains { $0 != 0 }) }
    #expect(pattern("A") == [0b01110, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001, 0, 0])
  }

  @Test func otherCharactersFallBack() {
    #expect(BitmapFont.unaccented.count == 0x180 - 0xC0)
    for (accented, plain) in zip("éÜñçßØžŁőİ", "eUncsOzLoI") { #expect(pattern(accented) == pattern(plain)) }
    // As two scalars too.
    #expect(pattern("e\u{301}") == pattern("e"))
    #expect(pattern("’") == pattern("'") && pattern("—") == pattern("-"))
    #expect(pattern("\n") == pattern(" ") && pattern("\t") == pattern(" "))
    let hollow = pattern("車")
    #expect(hollow.contains { $0 != 0 })
    for character: Character in ["👩‍👩‍👧", "\u{7}", "\u{7F}", "Ω"] { #expect(pattern(character) == hollow) }
  }

  @Test func textIsAsWideAsItSays() throws {
    for (text, scale) in [("H", 1), ("Hello H", 2), ("HÉH", 3), ("", 2), ("H", 0), ("H", .max)] {
      let size = RGBImage.textSize(text, scale: scale)
      var picture = try RGBImage(width: max(size.width, 1) + 20, height: size.height + 20)
      picture.drawText(text, x: 10, y: 10, scale: scale, color: red)
      let columns = (0..<picture.width).filter { x in
        (0..<picture.height).contains { picture.color(x: x, y: $0) == red }
      }
      #expect((columns.last ?? 9) - (columns.first ?? 10) + 1 == size.width, "\(text) \(scale)")
    }
  }

  @Test func textIsClipped() throws {
    var picture = try RGBImage(width: 30, height: 12)
    for (x, y) in [(Int.min, 0), (.max, 0), (0, .min), (0, .max), (30, 0), (0, 12), (-1000, 0)] {
      picture.drawText("HHH", x: x, y: y, scale: 1, color: red)
    }
    #expect(picture.count(red) == 0)
    picture.drawText(String(repeating: "H", count: 100_000), x: -3, y: 0, scale: 1, color: red)
    #expect(picture.count(red) > 0)
  }

  @Test func labelsStayInsideThePicture() throws {
    let places: [(Float, Float)] = [
      (20, 100), (0, 0), (-50, -50), (195, 0), (300, 300), (100, 3), (195, 149),
    ]
    for (x, y) in places {
      var picture = try RGBImage(width: 200, height: 150)
      picture.drawLabel("bus 0.87", x: x, y: y, background: red, scale: 2)
      // The whole patch is there: its text is white on red.
      let size = RGBImage.textSize("bus 0.87", scale: 2)
      #expect(picture.count(red) + picture.count(.white) == (size.width + 8) * (size.height + 4), "\(x) \(y)")
      #expect(picture.count(.white) > 50)
    }
    // Above the box where there is room.
    var picture = try RGBImage(width: 200, height: 150)
    picture.drawLabel("x", x: 20, y: 100, background: red, scale: 1)
    #expect(picture.color(x: 20, y: 99) == red && picture.color(x: 20, y: 100) == .black)
    // Too long, and too large for the picture: cut, not lost.
    picture.drawLabel(String(repeating: "W", count: 10_000), x: 5, y: 50, background: red, scale: 1)
    #expect(picture.color(x: 5, y: 49) == red && picture.color(x: 199, y: 49) == red)
    var tiny = try RGBImage(width: 3, height: 3)
    tiny.drawLabel("person", x: 0, y: 0, background: red)
    #expect(tiny.color(x: 0, y: 0) == red)
  }

  @Test func textIsReadableOnEveryColourOfThePalette() {
    let colors = (0..<100).map { ClassPalette.color(forClass: $0) }
    #expect(Set(colors).count == 100)
    #expect(colors == (0..<100).map { ClassPalette.color(forClass: $0) })
    for index in [Int.min, -1, .max] { _ = ClassPalette.color(forClass: index) }
    for (index, color) in colors.enumerated() {
      let next = ClassPalette.color(forClass: index + 1)
      let distance = [
        Int(color.red) - Int(next.red), Int(color.green) - Int(next.green), Int(color.blue) - Int(next.blue),
      ].reduce(0) { $0 + abs($1) }
      #expect(distance > 150)
      #expect(color.luma >= 99_000)
    }
    #expect(RGBColor.white.readableTextColor == .black && RGBColor.black.readableTextColor == .white)
  }
}

@Suite struct PictureLayoutTests {
  @Test func contactSheetsCentreTheirPictures() throws {
    let large = try RGBImage(width: 20, height: 10, color: red)
    let small = try RGBImage(width: 10, height: 6, color: .white)
    let sheet = try RGBImage.contactSheet([large, small, large], columns: 2, gap: 4, background: .black)
    #expect(sheet.width == 2 * 20 + 3 * 4 && sheet.height == 2 * 10 + 3 * 4)
    #expect(sheet.count(red) == 400 && sheet.count(.white) == 60)
    #expect(sheet.color(x: 4, y: 4) == red && sheet.color(x: 33, y: 6) == .white)
    #expect(sheet.color(x: 32, y: 6) == .black && sheet.color(x: 4, y: 18) == red)
    #expect(try RGBImage.contactSheet([large], columns: .max, gap: 0) == large)
    #expect(try RGBImage.contactSheet([large], columns: .min, gap: .min) == large)
    #expect(throws: RGBImageError.noImages) { try RGBImage.contactSheet([], columns: 2) }
  }

  @Test func downscalingKeepsAspectAndMean() throws {
    var picture = try RGBImage(width: 64, height: 48, color: .black)
    for y in 0..<48 { picture.fill(x: y % 2, y: y, width: 1, height: 1, color: .white) }
    for x in stride(from: 0, to: 64, by: 2) { picture.fill(x: x, y: 0, width: 1, height: 48, color: .white) }
    let half = picture.downscaled(toFitWidth: 32, height: 1000)
    #expect(half.width == 32 && half.height == 24)
    #expect(half.color(x: 20, y: 10) == RGBColor(red: 128, green: 128, blue: 128))
    #expect(picture.downscaled(toFitWidth: 64, height: 48) == picture)
    let flat = try RGBImage(width: 101, height: 37, color: RGBColor(red: 10, green: 200, blue: 255))
    let uneven = flat.downscaled(toFitWidth: 30, height: 30)
    #expect(uneven.width == 30 && uneven.height == 11)
    #expect(uneven.count(RGBColor(red: 10, green: 200, blue: 255)) == 330)
    let dot = flat.downscaled(toFitWidth: .min, height: 0)
    #expect(dot.width == 1 && dot.height == 1)
  }
}
