/** One stretch of recorded time, in milliseconds of the epoch. */
export interface Block {
  from: number
  to: number
  alarm: boolean
}

interface Recorded {
  from: string | null
  to: string | null
  type: string
}

export const HOUR = 3_600_000
const DAY = 24 * HOUR

/** Files follow each other with a small gap: people see one stretch. Alarm and ordinary recordings stay apart. */
export function blocksOf(recordings: readonly Recorded[], gap = 5_000): Block[] {
  const found: Block[] = []
  const spans = recordings
    .map(({ from, to, type }) => ({ from: Date.parse(from ?? ""), to: Date.parse(to ?? ""), alarm: type === "alarm" }))
    .filter(({ from, to }) => Number.isFinite(from) && Number.isFinite(to) && to > from)
    .sort((a, b) => a.from - b.from || a.to - b.to)
  for (const span of spans) {
    const last = found.filter((block) => block.alarm === span.alarm).at(-1)
    if (last !== undefined && span.from <= last.to + gap) last.to = Math.max(last.to, span.to)
    else found.push(span)
  }
  return found
}

/** What is played from a moment on: to the end of what follows without a gap, 24 hours at most; null in a gap. */
export function stretchFrom(blocks: readonly Block[], at: number, gap = 5_000): { from: number; to: number } | null {
  const whole: { from: number; to: number }[] = []
  for (const { from, to } of [...blocks].sort((a, b) => a.from - b.from)) {
    const last = whole.at(-1)
    if (last !== undefined && from <= last.to + gap) last.to = Math.max(last.to, to)
    else whole.push({ from, to })
  }
  const found = whole.find((block) => at >= block.from && at < block.to)
  return found === undefined ? null : { from: at, to: Math.min(found.to, at + DAY) }
}

/** The next moment that was recorded: the place itself, or the beginning of what comes after the gap. */
export function nextRecorded(blocks: readonly Block[], at: number): number | null {
  const later = blocks.filter((block) => block.to > at).map((block) => Math.max(block.from, at))
  return later.length === 0 ? null : Math.min(...later)
}

/** Marks of a scale that shows `span` milliseconds from `start`: at most about twelve, at round times of the day. */
export function ticks(start: number, span: number): number[] {
  const steps = [5, 10, 15, 30, 60, 120, 180, 360].map((minutes) => minutes * 60_000)
  const step = steps.find((one) => span / one <= 12) ?? DAY
  // Beijing is a whole number of hours from UTC and keeps no summer time, so round hours are round everywhere.
  const zone = 8 * HOUR
  const first = Math.ceil((start + zone) / step) * step - zone
  const found: number[] = []
  for (let at = first; at <= start + span; at += step) found.push(at)
  return found
}

/** The window of a zoomed scale: of this width, inside the day, with the place in it. */
export function windowAround(dayStart: number, span: number, at: number): number {
  const wanted = Math.min(Math.max(at - span / 2, dayStart), dayStart + DAY - span)
  return Math.round(wanted / 60_000) * 60_000
}
