import createClient from "openapi-fetch"
import { currentLanguage } from "@/core/i18n"
import { ApiProblem, type ProblemBody } from "./problem"

/** What a call may carry. `query` leaves out undefined, null and empty values. */
export interface CallOptions {
  query?: Record<string, QueryValue>
  body?: unknown
  headers?: Record<string, string>
  signal?: AbortSignal
}

type QueryValue = string | number | boolean | null | undefined | readonly (string | number)[]
type Method = "GET" | "POST" | "PATCH" | "PUT" | "DELETE"

interface Answer {
  data?: unknown
  error?: unknown
  response: Response
}

type AnyClient = Record<Method, (path: string, init: object) => Promise<Answer>>

export const API = "/api/v1"

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

const client = createClient({
  baseUrl: globalThis.location.origin,
  credentials: "same-origin",
  querySerializer: (query) => {
    const parts = new URLSearchParams()
    for (const [key, value] of Object.entries(query as Record<string, QueryValue>)) {
      if (value === undefined || value === null || value === "") continue
      if (Array.isArray(value)) for (const item of value as (string | number)[]) parts.append(key, String(item))
      else parts.set(key, String(value as string | number | boolean))
    }
    return parts.toString()
  },
}) as unknown as AnyClient

/** Every refusal becomes an `ApiProblem`; no network is status 0. */
export function toProblem(status: number, error: unknown, response: Response | null): ApiProblem {
  const body = (typeof error === "object" && error !== null ? error : { detail: "" }) as ProblemBody &
    Record<string, unknown>
  const problem = new ApiProblem(status, body, response?.headers.get("X-Request-Id") ?? null)
  if (status === 401 && problem.code === "unauthenticated") onUnauthenticated?.(problem)
  if (status === 403 && problem.code === "must_change_password") onMustChange?.()
  return problem
}

export async function call<T>(method: Method, path: string, options: CallOptions = {}): Promise<T> {
  let answer: Answer
  try {
    answer = await client[method](API + path, {
      params: { query: options.query ?? {} },
      headers: { ...commonHeaders(), ...options.headers },
      ...(options.body === undefined ? {} : { body: options.body }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    })
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error
    throw new ApiProblem(0, { code: "offline" })
  }
  if (!answer.response.ok) throw toProblem(answer.response.status, answer.error, answer.response)
  return answer.data as T
}

export const http = {
  get: <T>(path: string, query?: CallOptions["query"], signal?: AbortSignal) =>
    call<T>("GET", path, { ...(query ? { query } : {}), ...(signal ? { signal } : {}) }),
  post: <T>(path: string, body?: unknown, headers?: Record<string, string>) =>
    call<T>("POST", path, { body: body ?? {}, ...(headers ? { headers } : {}) }),
  patch: <T>(path: string, body: unknown, headers?: Record<string, string>) =>
    call<T>("PATCH", path, { body, ...(headers ? { headers } : {}) }),
  delete: <T>(path: string) => call<T>("DELETE", path),
}
