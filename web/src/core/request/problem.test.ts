import { afterEach, describe, expect, it, vi } from "vitest"
import { explain } from "@/core/ui/explain"
import { toProblem, unwrap } from "./http"
import { ApiProblem } from "./problem"
import { worthRetrying } from "./query"

afterEach(() => {
  vi.restoreAllMocks()
})

describe("unwrap", () => {
  it("gives the data, or the problem with its code and reference", async () => {
    await expect(unwrap(Promise.resolve({ data: 7, response: new Response("7") }))).resolves.toBe(7)
    const response = new Response("{}", { status: 409, headers: { "X-Request-Id": "abc" } })
    const refused = unwrap(Promise.resolve({ error: { code: "conflict", title: "T", detail: "D" }, response }))
    await expect(refused).rejects.toMatchObject({ status: 409, code: "conflict", requestId: "abc" })
  })
  it("calls no network by its name, and lets a given-up call be one", async () => {
    await expect(unwrap(Promise.reject(new TypeError("fetch")))).rejects.toMatchObject({ status: 0, code: "offline" })
    const aborted = new DOMException("gone", "AbortError")
    await expect(unwrap(Promise.reject(aborted))).rejects.toBe(aborted)
  })
})

describe("explain", () => {
  it("keeps the server's words and finds some where it sent none", () => {
    expect(explain(new ApiProblem(403, { title: "T", detail: "D" }))).toEqual({ title: "T", detail: "D" })
    expect(explain(new ApiProblem(404, { title: "T", detail: "T" }))).toEqual({ title: "T", detail: "" })
    expect(explain(toProblem(503, "<html>", null)).title).not.toBe("")
    expect(explain(new ApiProblem(418, {})).title).toContain("418")
  })
})

describe("worthRetrying", () => {
  it("tries again only what may pass by itself", () => {
    expect([0, 503, 404, 409, 500].map((status) => worthRetrying(0, new ApiProblem(status, {})))).toEqual([
      true, true, false, false, false,
    ])
    expect(worthRetrying(4, new ApiProblem(0, {}))).toBe(false)
  })
})
