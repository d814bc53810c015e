import createClient from "openapi-fetch"
import type { paths } from "@/core/api/schema"
import { currentLanguage } from "@/core/i18n"
import { ApiProblem, type ProblemBody } from "./problem"

/** For the few calls that are no JSON: uploads, downloads, events. */
export const API = "/api/v1"

type QueryValue = string | number | boolean | null | undefined | readonly (string | number)[]

let onUnauthenticated: ((problem: ApiProblem) => void) | null = null
let onMustChange: (() => void) | null = null

/** The app decides where an ended login leads. */
export function whenLoggedOut(handler: (problem: ApiProblem) => void): void {
  onUnauthenticated = handler
}

export function whenPasswordMustChange(handler: () => void): void {
  onMustChange = handler
}

/** Headers of every call: the language, and the mark that makes a cookie call no cross-site request. */
export function commonHeaders(): Record<string, string> {
  return { "Accept-Language": currentLanguage(), "X-Requested-With": "gongshi" }
}

/** Leaves out what is not set, so that an empty filter is no filter. */
function serialise(query: object): string {
  const parts = new URLSearchParams()
  for (const [key, value] of Object.entries(query) as [string, QueryValue][]) {
    if (value === undefined || value === null || value === "") continue
    if (typeof value === "object") for (const item of value) parts.append(key, String(item))
    else parts.set(key, String(value))
  }
  return parts.toString()
}

/** The API as it describes itself: paths, parameters and answers are checked by the compiler. */
export const api = createClient<paths>({
  baseUrl: globalThis.location.origin,
  credentials: "same-origin",
  querySerializer: serialise,
})
api.use({
  onRequest({ request }) {
    for (const [name, value] of Object.entries(commonHeaders())) request.headers.set(name, value)
  },
})

/** Every refusal becomes an `ApiProblem`; no network is status 0. */
export function toProblem(status: number, error: unknown, response: Response | null): ApiProblem {
  const body = (typeof error === "object" && error !== null ? error : { detail: "" }) as ProblemBody &
    Record<string, unknown>
  const problem = new ApiProblem(status, body, response?.headers.get("X-Request-Id") ?? null)
  if (status === 401 && problem.code === "unauthenticated") onUnauthenticated?.(problem)
  if (status === 403 && problem.code === "must_change_password") onMustChange?.()
  return problem
}

interface Answer<T> {
  data?: T
  error?: unknown
  response: Response
}

/** The data of an answer, or the problem that stands in its way. */
export async function unwrap<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>
  try {
    answer = await call
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error
    throw new ApiProblem(0, { code: "offline" })
  }
  if (!answer.response.ok) throw toProblem(answer.response.status, answer.error, answer.response)
  return answer.data as T
}
