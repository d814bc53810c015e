import { describe, expect, it } from "vitest"
import type { Peer } from "@/core/api/types"
import { diagnose } from "./diagnosis"

const NOW = Date.parse("2026-11-22T10:00:00Z")
const WELL = {
  state: "online",
  reason: null,
  registered_at: "2026-11-22T08:00:00Z",
  keepalive_at: "2026-11-22T09:59:30Z",
  keepalive_interval: 60,
  keepalive_misses: 3,
  channels: 9,
  online_channels: 9,
  last_run: { state: "complete", declared: 9, received: 9, packets: 3, started_at: "", ended_at: "", note: null },
} as unknown as Peer

function told(changes: Partial<Peer>): string[] {
  return diagnose({ ...WELL, ...changes }, NOW).map(({ key, verdict, finding }) => `${key} ${verdict} ${finding}`)
}

describe("diagnose", () => {
  it("finds nothing where nothing is wrong", () => {
    expect(told({}).every((line) => line.endsWith("ok ok"))).toBe(true)
  })
  it("stops knowing after the first thing that is wrong", () => {
    expect(told({ state: "never" })).toEqual([
      "enabled ok ok",
      "registered bad never",
      "keepalive unknown unknown",
      "catalogue unknown unknown",
      "channels unknown unknown",
    ])
    expect(told({ state: "offline", reason: "silent" })[1]).toBe("registered bad silent")
    expect(told({ state: "disabled", channels: 0 }).slice(1).every((line) => line.endsWith("unknown unknown"))).toBe(true)
  })
  it("names late keepalives, a partial catalogue and cameras that are off", () => {
    expect(told({ keepalive_at: "2026-11-22T09:55:00Z" })[2]).toBe("keepalive bad late")
    const run = { ...WELL.last_run, state: "partial", received: 7 } as Peer["last_run"]
    expect(told({ last_run: run, channels: 7, online_channels: 5 }).slice(3)).toEqual(["catalogue bad partial", "channels bad some"])
  })
  it("gives a peer that has just come the time to say something", () => {
    expect(told({ keepalive_at: null, registered_at: "2026-11-22T09:59:50Z" })[2]).toBe("keepalive unknown unknown")
    expect(told({ keepalive_at: null })[2]).toBe("keepalive bad none")
    expect(told({ keepalive_at: "2026-11-22T09:00:00Z", registered_at: "2026-11-22T09:59:00Z" })[2]).toBe("keepalive ok ok")
    expect(told({ keepalive_at: "2026-11-22T09:00:00Z", keepalive_misses: 0 })[2]).toBe("keepalive unknown unknown")
  })
})
