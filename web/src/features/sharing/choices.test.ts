import { describe, expect, it } from "vitest"
import type { RequestCamera } from "@/core/api/types"
import { incomplete, initialChoices, tally, toItems } from "./choices"

const cameras = ["1", "2", "3"].map((code) => ({ code }) as RequestCamera)
const ASKED = ["live", "playback"]

describe("choices", () => {
  it("begin undecided", () => {
    const choices = initialChoices(cameras, ASKED)
    expect(incomplete(choices, ASKED)).toEqual(["1", "2", "3"])
    expect(toItems(choices, ASKED)).toEqual([])
  })
  it("need a reason to refuse and a difference to narrow", () => {
    const choices = initialChoices(cameras, ASKED)
    choices["1"]!.outcome = "approved"
    choices["2"]!.outcome = "refused"
    choices["3"]!.outcome = "narrowed"
    expect(incomplete(choices, ASKED)).toEqual(["2", "3"])
    choices["2"]!.reason = " why "
    choices["3"]!.actions = ["live"]
    expect(incomplete(choices, ASKED)).toEqual([])
    expect(tally(choices)).toEqual({ approved: 1, narrowed: 1, refused: 1, open: 0 })
    expect(toItems(choices, ASKED)).toEqual([
      { camera: "1", outcome: "approved" },
      { camera: "2", outcome: "refused", reason: "why" },
      { camera: "3", outcome: "narrowed", narrow: { actions: ["live"] } },
    ])
  })
})
