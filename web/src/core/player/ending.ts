import { i18n, pick } from "@/core/i18n"
import { formatClock } from "@/core/i18n/format"
import { asProblem } from "@/core/request/problem"
import { explain } from "@/core/ui/explain"
import type { Ending } from "./types"

/** The server's reason: both languages, or one already chosen. */
export type Reason = { zh: string; en: string } | string | null | undefined

function said(key: string, fallback: string): string {
  const { t, te } = i18n.global
  return te(key, "zh-CN") ? t(key) : fallback
}

/** An end that the server told: who ended it and why, in its own words where it gave some. */
export function endedBy(
  code: string | null,
  reason: Reason,
  at: string | null = null,
): Ending {
  const known = code ?? "closed"
  return {
    code: known,
    title: pick(reason) || said(`player.ended.${known}`, i18n.global.t("player.ended.closed")),
    detail: at === null ? "" : i18n.global.t("player.endedAt", { time: formatClock(at, true) }),
    advice: said(`player.endedAdvice.${known}`, ""),
    at,
  }
}

/** A failure that this page found by itself. */
export function failure(code: string, values: Record<string, unknown> = {}): Ending {
  const { t } = i18n.global
  return {
    code,
    title: t(`player.failure.${code}.title`, values),
    detail: "",
    advice: t(`player.failure.${code}.advice`, values),
    at: null,
  }
}

/** Opening was refused or did not succeed. */
export function refused(error: unknown): Ending {
  const problem = asProblem(error)
  const { title, detail } = explain(problem)
  const advice = problem.body["advice"]
  return { code: problem.code, title, detail, advice: typeof advice === "string" ? advice : "", at: null }
}
