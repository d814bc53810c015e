import { describe, expect, it } from "vitest"
import { activeItem, NAV, navFor } from "./nav"

describe("navFor", () => {
  it("shows only what the permissions open, and never an empty group", () => {
    const groups = navFor((...names) => names.includes("audit.entry.see"))
    expect(groups.map((group) => group.key)).toEqual(["start", "audit"])
  })
})

describe("activeItem", () => {
  it("prefers the entry whose query agrees", () => {
    expect(activeItem(NAV, "/cameras", { view: "map" })).toBe("map")
    expect(activeItem(NAV, "/cameras", {})).toBe("cameras")
    expect(activeItem(NAV, "/cameras/34150200001320000001", {})).toBe("cameras")
    expect(activeItem(NAV, "/inventory/reconciliation", {})).toBe("reconciliation")
    expect(activeItem(NAV, "/inventory/filings/3", {})).toBe("filings")
    expect(activeItem(NAV, "/", {})).toBe("overview")
  })
})
