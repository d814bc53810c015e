import { computed, type Ref } from "vue"
import type { FilingRow, Finding, Severity } from "@/core/api/types"
import { usePages } from "@/core/paging/usePages"
import { listFindings } from "./api"

export type Marks = ReadonlyMap<string, Severity>

const WEIGHT: Record<Severity, number> = { error: 3, warning: 2, suspicious: 1, advice: 0 }

function key(sheet: string, tab: string | null, row: number, column: string): string {
  return [sheet, tab ?? "", String(row), column].join("\u0000")
}

/** The worst finding of every cell. */
export function toMarks(findings: readonly Finding[]): Map<string, Severity> {
  const marks = new Map<string, Severity>()
  for (const { sheet, tab, row, column, severity } of findings) {
    if (sheet === null || row === null || column === null) continue
    const at = key(sheet, tab, row, column)
    const old = marks.get(at)
    if (old === undefined || WEIGHT[severity] > WEIGHT[old]) marks.set(at, severity)
  }
  return marks
}

export function useFindings(id: Ref<number>, severity: Ref<Severity | "">, rule: Ref<string>) {
  return usePages(
    computed(() => ["filing", id.value, "findings", severity.value, rule.value]),
    (cursor) => listFindings(id.value, { severity: severity.value, rule: rule.value }, cursor),
  )
}

/** Colours come from the findings that are loaded; a row's own verdict colours what is not. */
export function useMarks(id: Ref<number>): Ref<Marks> {
  const all = usePages(
    computed(() => ["filing", id.value, "marks"]),
    (cursor) => listFindings(id.value, { limit: 500 }, cursor),
  )
  return computed(() => toMarks(all.items.value))
}

export function cellMarks(marks: Marks, row: FilingRow, column: string): Severity | "" {
  return marks.get(key(row.sheet, row.tab, row.row, column)) ?? ""
}
