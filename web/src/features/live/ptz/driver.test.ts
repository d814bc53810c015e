import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { commandOf, motionOf, type PtzCommand, PtzDriver, REFRESH } from "./driver"

let sent: PtzCommand[] = []
let refusals = 0
let answer: () => Promise<void> = () => Promise.resolve()

function driver(): PtzDriver {
  return new PtzDriver((command) => {
    sent.push(command)
    return answer()
  }, () => 40, (error) => {
    refusals += 1
    return (error as Error).message !== "held"
  })
}

const names = (): string[] => sent.map(({ command, pan = 0, focus }) => `${command}${pan === 0 ? "" : String(pan)}${focus === undefined ? "" : String(focus)}`)
const settle = (): Promise<void> => vi.advanceTimersByTimeAsync(0).then(() => undefined)

beforeEach(() => {
  vi.useFakeTimers()
  sent = []
  refusals = 0
  answer = () => Promise.resolve()
})
afterEach(() => {
  vi.useRealTimers()
})

describe("PtzDriver", () => {
  it("repeats while held, and stops once", async () => {
    const ptz = driver()
    ptz.start({ pan: 1 })
    ptz.start({ pan: 1 })
    await vi.advanceTimersByTimeAsync(REFRESH * 2 + 1)
    ptz.stop()
    ptz.stop()
    await vi.advanceTimersByTimeAsync(REFRESH * 3)
    expect(names()).toEqual(["move1", "move1", "move1", "stop"])
    expect(sent[0]?.speed).toBe(40)
  })
  it("lets a stop wait for the answer before it, and drops what is older", async () => {
    const release: (() => void)[] = []
    answer = () => new Promise((resolve) => release.push(resolve))
    const ptz = driver()
    ptz.start({ pan: -1 })
    ptz.start({ pan: 1 })
    ptz.stop()
    expect(names()).toEqual(["move-1"])
    release[0]?.()
    await settle()
    expect(names()).toEqual(["move-1", "stop"])
  })
  it("gives up when the camera is somebody else's", async () => {
    answer = () => Promise.reject(new Error("held"))
    const ptz = driver()
    ptz.start({ pan: 1 })
    await vi.advanceTimersByTimeAsync(REFRESH * 3)
    expect([names(), refusals, ptz.moving]).toEqual([["move1"], 1, false])
  })
  it("stops what may have moved without an answer", async () => {
    answer = () => Promise.reject(new Error("no answer"))
    driver().start({ pan: 1 })
    await vi.advanceTimersByTimeAsync(REFRESH * 3)
    expect(names()).toEqual(["move1", "stop"])
  })
  it("forgets no halt when another motion follows at once", async () => {
    const release: (() => void)[] = []
    answer = () => new Promise((resolve) => release.push(resolve))
    const ptz = driver()
    ptz.start({ focus: 1 })
    ptz.start({ pan: 1 })
    for (let i = 0; i < 4; i += 1) {
      release[i]?.()
      await settle()
    }
    expect(names()).toEqual(["focus1", "focus0", "move1"])
    ptz.stop()
  })
  it("stops a lens by its own stop", async () => {
    const ptz = driver()
    ptz.start({ focus: 1 })
    ptz.stop()
    await settle()
    expect(names()).toEqual(["focus1", "focus0"])
  })
})

describe("motionOf", () => {
  it("adds the keys that are down", () => {
    expect(motionOf(new Set(["ArrowUp", "ArrowRight"]))).toEqual({ pan: 1, tilt: 1, zoom: 0 })
    expect(motionOf(new Set(["ArrowLeft", "ArrowRight"]))).toBeNull()
    expect(motionOf(new Set(["-"]))).toEqual({ pan: 0, tilt: 0, zoom: -1 })
    expect(motionOf(new Set(["a"]))).toBeNull()
    expect(commandOf({}, 10)).toEqual({ command: "stop" })
  })
})
