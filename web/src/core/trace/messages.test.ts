import { describe, expect, it } from "vitest"
import { exchanges, kinds, matches, type TraceMessage, withoutRepeats } from "./messages"

let clock = 0

function line(way: "in" | "out", first: string, callId: string, body = ""): TraceMessage {
  clock += 1
  const text = `${first}\r\nFrom: <sip:a@b>;tag=1\r\nCall-ID: ${callId}\r\nCSeq: 1 X\r\n\r\n${body}`
  return { at: new Date(clock * 1000).toISOString(), way, remote: "udp:10.0.0.1:5060", size: text.length, truncated: false, text }
}

const REGISTER = "REGISTER sip:34150000002000000001@3415000000 SIP/2.0"
const KEEPALIVE = "<?xml version=\"1.0\"?>\r\n<Notify>\r\n<CmdType>Keepalive</CmdType>\r\n</Notify>"

function registration(id: string): TraceMessage[] {
  return [
    line("in", REGISTER, id),
    line("out", "SIP/2.0 401 Unauthorized", id),
    line("in", REGISTER, id),
    line("out", "SIP/2.0 200 OK", id),
  ]
}

describe("exchanges", () => {
  it("keep every message once, in order, whatever comes in between", () => {
    const lines = [...registration("r1"), line("in", "MESSAGE sip:x SIP/2.0", "m1", KEEPALIVE), line("out", "SIP/2.0 200 OK", "m1")]
    const found = exchanges(lines)
    expect(found.map((exchange) => [exchange.method, exchange.command, exchange.outcome, exchange.messages.length])).toEqual([
      ["MESSAGE", "Keepalive", "ok", 2],
      ["REGISTER", "", "ok", 4],
    ])
    expect(found.flatMap((exchange) => exchange.messages)).toHaveLength(lines.length)
    expect(new Set(found.flatMap((exchange) => exchange.messages.map((m) => m.key))).size).toBe(lines.length)
  })
  it("begin anew when a registration is refreshed under the same Call-ID", () => {
    expect(exchanges([...registration("r"), ...registration("r")]).map((exchange) => exchange.messages.length)).toEqual([4, 4])
  })
  it("tell a challenge that was taken up from one that was not", () => {
    const refused = exchanges([line("in", REGISTER, "a"), line("out", "SIP/2.0 401 Unauthorized", "a")])
    expect([refused[0]?.outcome, refused[0]?.status]).toEqual(["refused", 401])
    const waiting = exchanges(registration("b").slice(0, 3))
    expect(waiting[0]?.outcome).toBe("waiting")
  })
  it("read whatever came, also what is no SIP", () => {
    const found = exchanges([line("in", "GET / HTTP/1.1", ""), line("in", "", "")])
    expect(found).toHaveLength(2)
    expect(found.every((exchange) => exchange.messages[0]?.label !== "")).toBe(true)
  })
})

describe("withoutRepeats", () => {
  it("counts what was sent again, and keeps what only looks alike", () => {
    const lines = [...Array<null>(3)].map(() => line("out", REGISTER, "r")).concat(registration("r"))
    const [found] = exchanges(lines)
    expect(withoutRepeats(found?.messages ?? []).map(({ message, times }) => [message.way, message.label, times])).toEqual([
      ["out", "REGISTER", 3],
      ["in", "REGISTER", 2],
      ["out", "401 Unauthorized", 1],
      ["out", "200 OK", 1],
    ])
  })
})

describe("matches", () => {
  it("narrows by every part of the filter", () => {
    const all = exchanges([...registration("r"), line("out", "MESSAGE sip:x SIP/2.0", "m", KEEPALIVE)])
    const none = { method: "", way: "", outcome: "", text: "" }
    const count = (part: Partial<typeof none>): number => all.filter((exchange) => matches(exchange, { ...none, ...part })).length
    expect([count({}), count({ method: "REGISTER" }), count({ method: "Keepalive" })]).toEqual([2, 1, 1])
    expect([count({ way: "out" }), count({ outcome: "waiting" }), count({ text: "UNAUTHORIZED" }), count({ text: "zzz" })]).toEqual([1, 1, 1, 0])
    expect(kinds(all)).toEqual(["MESSAGE", "REGISTER", "Keepalive"])
  })
})
