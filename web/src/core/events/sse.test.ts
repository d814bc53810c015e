import { describe, expect, it } from "vitest"
import { SseParser } from "./sse"

const TEXT = 'retry: 1000\nevent: hello\ndata: {}\n\n: beat\n\nevent: session.ended\r\nid: 7\r\ndata: {"id":\r\ndata: 1}\r\n\r\n'
const WANTED = [
  { event: "hello", data: "{}" },
  { event: "session.ended", data: '{"id":\n1}' },
]

describe("SseParser", () => {
  it("reads events whole, byte by byte and cut anywhere", () => {
    expect(new SseParser().push(TEXT)).toEqual(WANTED)
    const slow = new SseParser()
    expect([...TEXT].flatMap((letter) => slow.push(letter))).toEqual(WANTED)
    for (let cut = 1; cut < TEXT.length; cut += 1) {
      const parser = new SseParser()
      expect([...parser.push(TEXT.slice(0, cut)), ...parser.push(TEXT.slice(cut))]).toEqual(WANTED)
    }
  })
})
