import { describe, expect, it } from "vitest"
import { emptyTerms, missing, toBody } from "./terms"

const NOW = new Date("2026-11-22T18:30:00Z") // already the 23rd in Beijing

describe("terms", () => {
  it("begin with a month from today in Beijing", () => {
    const form = emptyTerms(NOW)
    expect([form.from, form.to]).toEqual(["2026-11-23", "2026-12-23"])
  })
  it("name everything that is missing at once", () => {
    expect(missing({ ...emptyTerms(NOW), actions: [] }, 0, NOW)).toEqual(["cameras", "actions", "purpose", "legalBasis"])
  })
  it("refuse a period that is over, turned around or longer than a year", () => {
    const form = { ...emptyTerms(NOW), purpose: "p", legalBasis: "l" }
    expect(missing(form, 1, NOW)).toEqual([])
    expect(missing({ ...form, to: "2026-11-01", from: "2026-10-01" }, 1, NOW)).toEqual(["past"])
    expect(missing({ ...form, to: "2026-11-01" }, 1, NOW)).toEqual(["order"])
    expect(missing({ ...form, to: "2027-11-24" }, 1, NOW)).toEqual(["long"])
  })
  it("send the last day to its end and hours only when limited", () => {
    const form = { ...emptyTerms(NOW), purpose: " p ", legalBasis: "l" }
    const body = toBody(form, ["1"], NOW)
    expect(body.valid_to).toBe("2026-12-23T23:59:59+08:00")
    expect([body.hours, body.playback_hours, body.purpose]).toEqual([null, null, "p"])
    expect(toBody({ ...form, limitHours: true, days: [3, 1] }, ["1"], NOW).hours).toEqual({ days: [1, 3], from: "08:00", to: "18:00" })
  })
})
