import { describe, expect, it } from "vitest"
import { fileName } from "./download"

describe("fileName", () => {
  it("prefers the extended form and survives a broken one", () => {
    expect(fileName("attachment; filename=\"a.xlsx\"; filename*=UTF-8''%E8%A1%A8.xlsx")).toBe("表.xlsx")
    expect(fileName('attachment; filename="a b.xlsx"')).toBe("a b.xlsx")
    expect(fileName("attachment; filename*=UTF-8''%E8%A")).toBeNull()
    expect(fileName(null)).toBeNull()
  })
})
