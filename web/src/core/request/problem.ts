/** A refused or failed call, as problem+json tells it (RFC 9457). */
export interface ProblemBody {
  title?: string
  detail?: string
  code?: string
  errors?: { field: string; code: string; message: string }[]
}

export class ApiProblem extends Error {
  readonly status: number
  readonly code: string
  readonly title: string
  readonly detail: string
  readonly errors: { field: string; code: string; message: string }[]
  readonly requestId: string | null
  /** Further members of the body, for pages that know this code. */
  readonly body: Record<string, unknown>

  constructor(status: number, body: ProblemBody & Record<string, unknown>, requestId: string | null = null) {
    super(body.detail ?? body.title ?? `HTTP ${String(status)}`)
    this.name = "ApiProblem"
    this.status = status
    this.code = body.code ?? (status === 0 ? "offline" : "unknown")
    this.title = body.title ?? ""
    this.detail = body.detail ?? ""
    this.errors = body.errors ?? []
    this.requestId = requestId
    this.body = body
  }

  get offline(): boolean {
    return this.status === 0
  }
}

export function asProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error
  return new ApiProblem(0, { detail: error instanceof Error ? error.message : String(error) })
}
