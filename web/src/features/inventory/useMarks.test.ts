import { describe, expect, it } from "vitest"
import type { Finding, Severity } from "@/core/api/types"
import { cellMarks, toMarks } from "./useMarks"

function finding(row: number | null, column: string | null, severity: Severity): Finding {
  return { id: 1, sheet: "camera", tab: null, row, column, column_label: null, rule: "C", clause: "G", severity, value: null, message: "", remedy: "", waived: false, waiver_reason: null }
}

describe("toMarks", () => {
  it("keeps the worst of a cell and leaves out what has no cell", () => {
    const marks = toMarks([finding(3, "code", "warning"), finding(3, "code", "error"), finding(3, "code", "advice"), finding(4, null, "error")])
    const row = (number: number) => ({ sheet: "camera", tab: null, row: number, raw: {}, verdict: "error" as const })
    expect(cellMarks(marks, row(3), "code")).toBe("error")
    expect(cellMarks(marks, row(4), "code")).toBe("")
    expect(marks.size).toBe(1)
  })
})
