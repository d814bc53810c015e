import type { RequestBody, ShareRequest } from "@/core/api/types"
import { beijing, formatDate } from "@/core/i18n/format"

/** The form's fields; dates as `YYYY-MM-DD`, clocks as `HH:MM`, in Beijing time. */
export interface TermsForm {
  actions: string[]
  purpose: string
  legalBasis: string
  from: string
  to: string
  limitHours: boolean
  days: number[]
  hoursFrom: string
  hoursTo: string
  playbackHours: number
  concurrency: number
}

export const ACTIONS = ["live", "playback", "snapshot", "ptz", "download"] as const
export const LONGEST_DAYS = 366

const DAY = 86_400_000

export function emptyTerms(now = new Date()): TermsForm {
  return {
    actions: ["live"],
    purpose: "",
    legalBasis: "",
    from: formatDate(now),
    to: formatDate(new Date(now.getTime() + 30 * DAY)),
    limitHours: false,
    days: [1, 2, 3, 4, 5, 6, 7],
    hoursFrom: "08:00",
    hoursTo: "18:00",
    playbackHours: 24,
    concurrency: 4,
  }
}

/** What is still missing or wrong, as keys of the page's texts; empty when the form can be sent. */
export function missing(form: TermsForm, cameras: number, now = new Date()): string[] {
  const problems: string[] = []
  if (cameras === 0) problems.push("cameras")
  if (form.actions.length === 0) problems.push("actions")
  if (form.purpose.trim() === "") problems.push("purpose")
  if (form.legalBasis.trim() === "") problems.push("legalBasis")
  if (form.from === "" || form.to === "") problems.push("period")
  else if (form.to < form.from) problems.push("order")
  else if (form.to < formatDate(now)) problems.push("past")
  else if ((Date.parse(form.to) - Date.parse(form.from)) / DAY >= LONGEST_DAYS) problems.push("long")
  if (form.limitHours && form.days.length === 0) problems.push("days")
  return problems
}

/** The whole last day belongs to the period; a period that begins today begins now. */
export function toBody(form: TermsForm, cameras: string[], now = new Date()): RequestBody {
  const today = formatDate(now)
  return {
    cameras,
    actions: form.actions,
    purpose: form.purpose.trim(),
    legal_basis: form.legalBasis.trim(),
    valid_from: form.from === today ? beijing(today) : beijing(form.from),
    valid_to: beijing(form.to, "23:59:59"),
    hours: form.limitHours ? { days: [...form.days].sort(), from: form.hoursFrom, to: form.hoursTo } : null,
    playback_hours: form.actions.includes("playback") ? form.playbackHours : null,
    concurrency: form.concurrency,
    delivery: ["portal"],
  }
}

/** The form of a request that is taken up again. */
export function fromRequest(request: ShareRequest): TermsForm {
  const base = emptyTerms()
  return {
    ...base,
    actions: request.actions,
    purpose: request.purpose,
    legalBasis: request.legal_basis,
    from: formatDate(request.valid_from),
    to: formatDate(request.valid_to),
    limitHours: request.hours !== null,
    days: request.hours?.days ?? base.days,
    hoursFrom: request.hours?.from ?? base.hoursFrom,
    hoursTo: request.hours?.to ?? base.hoursTo,
    playbackHours: request.playback_hours ?? base.playbackHours,
    concurrency: request.concurrency,
  }
}
