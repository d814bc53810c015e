import type { Peer } from "@/core/api/types"

export type Verdict = "ok" | "bad" | "unknown"

/** One question on the way from "nothing works" to "all is well"; its words stand under `peers.check`. */
export interface Check {
  key: "enabled" | "registered" | "keepalive" | "catalogue" | "channels"
  verdict: Verdict
  /** Which of the answers to this question. */
  finding: string
  values: Record<string, string | number>
}

/** Asks in the order in which things depend on each other; after the first failure the rest is not known. */
export function diagnose(peer: Peer, now = Date.now()): Check[] {
  const checks: Check[] = []
  let broken = false

  function add(key: Check["key"], bad: string | null, values: Check["values"] = {}, known = true): void {
    const verdict: Verdict = broken || !known ? "unknown" : bad === null ? "ok" : "bad"
    checks.push({ key, verdict, finding: verdict === "bad" ? (bad ?? "ok") : verdict === "ok" ? "ok" : "unknown", values })
    if (verdict === "bad") broken = true
  }

  add("enabled", peer.state === "disabled" ? "off" : null)
  add("registered", peer.state === "never" ? "never" : peer.state === "offline" ? (peer.reason ?? "offline") : null)
  // A registration is a sign of life too: the first keepalive is due after it.
  const heard = Math.max(Date.parse(peer.keepalive_at ?? "") || 0, Date.parse(peer.registered_at ?? "") || 0)
  const late = Math.round((now - heard) / 1000)
  const due = peer.keepalive_interval
  const judged = peer.keepalive_misses > 0 && heard > 0
  add("keepalive", late <= due * 2 ? null : peer.keepalive_at ? "late" : "none", { late, due }, judged && (peer.keepalive_at !== null || late > due * 2))
  const run = peer.last_run
  const known = run !== null && run.state !== "running"
  add("catalogue", run && run.state !== "complete" ? run.state : null, { received: run?.received ?? 0, declared: run?.declared ?? "?" }, known)
  // An incomplete catalogue still shows what it brought.
  broken = peer.state !== "online" || (broken && peer.channels === 0)
  add("channels", peer.channels === 0 ? "none" : peer.online_channels < peer.channels ? "some" : null, { on: peer.online_channels, all: peer.channels }, known)
  return checks
}
