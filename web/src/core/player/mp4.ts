/** Finds the codec string of a fragmented MP4 from its first bytes (ISO/IEC 14496-12, -15). */

function find(bytes: Uint8Array, name: string, from = 0): number {
  const [a, b, c, d] = [...name].map((letter) => letter.charCodeAt(0))
  for (let i = from; i + 4 <= bytes.length; i += 1) {
    if (bytes[i] === a && bytes[i + 1] === b && bytes[i + 2] === c && bytes[i + 3] === d) return i
  }
  return -1
}

const hex = (value: number): string => value.toString(16).padStart(2, "0")

function avc(bytes: Uint8Array): string | null {
  const at = find(bytes, "avcC")
  if (at < 0 || at + 8 > bytes.length) return null
  return `avc1.${hex(bytes[at + 5] ?? 0)}${hex(bytes[at + 6] ?? 0)}${hex(bytes[at + 7] ?? 0)}`
}

function hevc(bytes: Uint8Array): string | null {
  const at = find(bytes, "hvcC")
  if (at < 0 || at + 17 > bytes.length) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset + at + 4)
  const profile = view.getUint8(1)
  let flags = view.getUint32(2)
  let reversed = 0
  for (let i = 0; i < 32; i += 1) {
    reversed = (reversed << 1) | (flags & 1)
    flags >>>= 1
  }
  const constraints: number[] = []
  for (let i = 6; i < 12; i += 1) constraints.push(view.getUint8(i))
  while (constraints.length > 0 && constraints.at(-1) === 0) constraints.pop()
  const space = ["", "A", "B", "C"][profile >> 6] ?? ""
  const tier = (profile & 0x20) === 0 ? "L" : "H"
  const tail = constraints.map((value) => `.${value.toString(16).toUpperCase()}`).join("")
  return `hvc1.${space}${String(profile & 0x1f)}.${(reversed >>> 0).toString(16).toUpperCase()}.${tier}${String(view.getUint8(12))}${tail}`
}

/** Null while the initialisation part is not complete. */
export function mp4Codecs(bytes: Uint8Array): string[] | null {
  const moov = find(bytes, "moov")
  if (moov < 4) return null
  const size = new DataView(bytes.buffer, bytes.byteOffset + moov - 4).getUint32(0)
  if (bytes.length < moov - 4 + size) return null
  const head = bytes.subarray(0, moov - 4 + size)
  const codecs = [avc(head) ?? hevc(head)].filter((codec) => codec !== null)
  if (find(head, "mp4a") >= 0) codecs.push("mp4a.40.2")
  return codecs
}

export function codecName(codec: string): string {
  if (/^(avc|h264)/i.test(codec)) return "H.264"
  if (/^(hvc|hev|h265)/i.test(codec)) return "H.265"
  return codec
}
