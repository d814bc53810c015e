import { describe, expect, it } from "vitest"
import type { Upper } from "@/core/api/types"
import { changesOf, emptyForm, formOf, newUpper } from "./form"

const UPPER = {
  ...emptyForm(),
  id: 1,
  version: 2,
  code: "34000000002000000001",
  name: "Province",
  host: "10.1.1.10",
  own_code: "34150000002000000001",
  username: "34150000002000000001",
  domain: "3400000000",
  realm: null,
  edition: null,
  charset: null,
  contact: null,
  sources: [],
  media_networks: ["10.1.1.0/24", "10.1.2.0/24"],
  redirects: [],
  organisation: { id: 2, name: "Police" },
} as unknown as Upper

describe("changesOf", () => {
  it("finds nothing in a form that nobody touched", () => {
    expect(changesOf(formOf(UPPER), UPPER)).toEqual({})
  })
  it("names what was changed, and nothing else", () => {
    const form = { ...formOf(UPPER), host: " 10.1.1.11 ", edition: "2016" as const, media_networks: "10.9.0.0/16, 10.8.0.0/16\n", username: "" }
    expect(changesOf(form, UPPER)).toEqual({ host: "10.1.1.11", edition: "2016", media_networks: ["10.9.0.0/16", "10.8.0.0/16"] })
  })
})

describe("newUpper", () => {
  it("leaves to the server what follows from the rest", () => {
    const body = newUpper({ ...emptyForm(), code: "34000000002000000001", organisation: "police", password: " p " })
    expect([body.username, body.domain, body.realm, body.edition, body.sources]).toEqual([null, null, null, null, []])
    expect(body.password).toBe(" p ")
  })
})
