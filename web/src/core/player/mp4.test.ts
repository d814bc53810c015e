import { describe, expect, it } from "vitest"
import { codecName, mp4Codecs } from "./mp4"

function box(name: string, ...content: (Uint8Array | number[])[]): Uint8Array {
  const body = content.flatMap((part) => [...part])
  const size = body.length + 8
  const letters = [...name].map((letter) => letter.charCodeAt(0))
  return new Uint8Array([size >>> 24, (size >> 16) & 255, (size >> 8) & 255, size & 255, ...letters, ...body])
}

const AVC = box("avcC", [1, 0x64, 0x00, 0x1f, 0xff])
const HEVC = box("hvcC", [1, 0x01, 0x60, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 93, 0xf0, 0, 0])

describe("mp4Codecs", () => {
  it("reads H.264 profile and level", () => {
    expect(mp4Codecs(box("moov", AVC))).toEqual(["avc1.64001f"])
  })
  it("reads H.265 with reversed compatibility flags", () => {
    expect(mp4Codecs(box("moov", HEVC))).toEqual(["hvc1.1.6.L93.B0"])
  })
  it("waits for the whole head, cut anywhere", () => {
    const whole = new Uint8Array([...box("ftyp", [1, 2, 3, 4]), ...box("moov", AVC)])
    for (let cut = 0; cut < whole.length; cut += 1) expect(mp4Codecs(whole.subarray(0, cut))).toBeNull()
    expect(mp4Codecs(whole)).toEqual(["avc1.64001f"])
  })
})

describe("codecName", () => {
  it("says what people say", () => {
    expect(["avc1.64001f", "hvc1.1.6.L93.B0", "vp9"].map(codecName)).toEqual(["H.264", "H.265", "vp9"])
  })
})
