import type { ItemDecision, RequestCamera } from "@/core/api/types"

/** What the decider set for one camera; an empty outcome is undecided. */
export interface Choice {
  outcome: "" | "approved" | "narrowed" | "refused"
  reason: string
  /** Narrowed terms: the last day, and the actions that stay. */
  until: string
  actions: string[]
}

export function initialChoices(cameras: readonly RequestCamera[], actions: readonly string[]): Record<string, Choice> {
  return Object.fromEntries(
    cameras.map((camera) => [
      camera.code,
      { outcome: "", reason: "", until: "", actions: [...actions] } satisfies Choice,
    ]),
  )
}

/** Cameras that are not decided yet, or refused or narrowed without saying why or how. */
export function incomplete(choices: Record<string, Choice>, asked: readonly string[]): string[] {
  return Object.entries(choices)
    .filter(([, choice]) => {
      if (choice.outcome === "") return true
      if (choice.outcome === "refused") return choice.reason.trim() === ""
      if (choice.outcome === "narrowed") return choice.until === "" && choice.actions.length === asked.length
      return false
    })
    .map(([code]) => code)
}

export function toItems(choices: Record<string, Choice>, asked: readonly string[]): ItemDecision[] {
  return Object.entries(choices).flatMap(([camera, choice]) => {
    if (choice.outcome === "") return []
    const item: ItemDecision = { camera, outcome: choice.outcome }
    if (choice.reason.trim() !== "") item.reason = choice.reason.trim()
    if (choice.outcome === "narrowed") {
      item.narrow = {
        ...(choice.until === "" ? {} : { valid_to: `${choice.until}T23:59:59+08:00` }),
        ...(choice.actions.length === asked.length ? {} : { actions: choice.actions }),
      }
    }
    return [item]
  })
}

export function tally(choices: Record<string, Choice>): { approved: number; narrowed: number; refused: number; open: number } {
  const counts = { approved: 0, narrowed: 0, refused: 0, open: 0 }
  for (const { outcome } of Object.values(choices)) counts[outcome === "" ? "open" : outcome] += 1
  return counts
}
