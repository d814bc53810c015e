/** What a state means to the reader; each tone has a shape of its own besides its colour. */
export type Tone = "ok" | "warn" | "bad" | "info" | "idle" | "doubt"

export const SHAPES: Record<Tone, string> = {
  ok: "●",
  warn: "▲",
  bad: "■",
  info: "◆",
  idle: "○",
  doubt: "◇",
}

const TONES: Record<string, Record<string, Tone>> = {
  filing: {
    checking: "info",
    checked: "info",
    draft: "idle",
    submitted: "warn",
    accepting: "info",
    accepted: "ok",
    sent_back: "bad",
    cancelled: "idle",
    failed: "bad",
  },
  camera: { 1: "ok", 2: "warn", 3: "idle" },
  peer: { online: "ok", offline: "bad", never: "idle", disabled: "idle" },
  upper: { off: "idle", trying: "info", challenged: "info", registered: "ok", refreshing: "ok", failing: "bad" },
  channel: { on: "ok", off: "bad", gone: "idle" },
  subscription_state: { idle: "idle", asking: "info", active: "ok", refreshing: "ok", waiting: "warn", ending: "info", ended: "idle" },
  priority: { 1: "bad", 2: "warn", 3: "info", 4: "idle" },
  request: {
    draft: "idle",
    consult: "warn",
    approve: "warn",
    approved: "ok",
    partly_approved: "ok",
    refused: "bad",
    sent_back: "bad",
    withdrawn: "idle",
  },
  grant: { in_force: "ok", suspended: "warn", revoked: "bad", expired: "idle" },
  outcome: { approved: "ok", narrowed: "warn", refused: "bad", agreed: "ok", objected: "bad", sent_back: "warn", partly_approved: "ok" },
  severity: { error: "bad", warning: "warn", suspicious: "doubt", advice: "info" },
  verdict: { ok: "ok", warning: "warn", error: "bad", skipped: "idle" },
  session: { opening: "info", open: "ok", ended: "idle", failed: "bad" },
  account: { active: "ok", disabled: "idle", locked: "warn" },
}

export function toneOf(area: string, code: string | number | null | undefined): Tone {
  return TONES[area]?.[String(code)] ?? "idle"
}
