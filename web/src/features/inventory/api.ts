import type { Filing, FilingRow, FindingPage, FormField, Page, Reconciliation } from "@/core/api/types"
import type { operations } from "@/core/api/schema"
import { api, unwrap } from "@/core/request/http"
import { upload } from "@/core/request/upload"

const path = (id: number): { path: { filing_id: number } } => ({ path: { filing_id: id } })
const as = (answer: Promise<unknown>): Promise<Filing> => answer as Promise<Filing>

type RowQuery = NonNullable<operations["rows_api_v1_inventory_filings__filing_id__rows_get"]["parameters"]["query"]>
type FindingQuery = NonNullable<
  operations["findings_api_v1_inventory_filings__filing_id__findings_get"]["parameters"]["query"]
>

export function listFilings(state: string, cursor?: string): Promise<Page<Filing>> {
  const query = { state, cursor, limit: 50 }
  return unwrap(api.GET("/api/v1/inventory/filings", { params: { query } })) as Promise<Page<Filing>>
}

export function getFiling(id: number): Promise<Filing> {
  return as(unwrap(api.GET("/api/v1/inventory/filings/{filing_id}", { params: path(id) })))
}

export function listRows(id: number, query: RowQuery, cursor?: string): Promise<Page<FilingRow>> {
  const params = { ...path(id), query: { limit: 500, ...query, cursor } }
  return unwrap(api.GET("/api/v1/inventory/filings/{filing_id}/rows", { params }))
}

export function listFindings(id: number, query: FindingQuery, cursor?: string): Promise<FindingPage> {
  const params = { ...path(id), query: { limit: 200, ...query, cursor } }
  return unwrap(api.GET("/api/v1/inventory/filings/{filing_id}/findings", { params })) as Promise<FindingPage>
}

/** The form as data: its columns by sheet, in their order, and its rules by id. */
export interface FormDescription {
  columns: Record<string, FormField[]>
  rules: Record<string, string>
}

export async function describeForm(): Promise<FormDescription> {
  const { tables, rules } = await unwrap(api.GET("/api/v1/inventory/fields"))
  return {
    columns: Object.fromEntries(tables.map(({ sheet, fields }) => [sheet, fields])),
    rules: Object.fromEntries(rules.map(({ id, title }) => [id, title])),
  }
}

/** Always a dry run: nothing is filed by uploading. */
export function uploadForm(
  file: File,
  options: { onProgress: (share: number) => void; signal: AbortSignal },
): Promise<Filing> {
  const form = new FormData()
  form.set("file", file)
  form.set("dry_run", "true")
  return upload("/inventory/filings", form, options)
}

export function zeroReport(statement: string): Promise<Filing> {
  return as(unwrap(api.POST("/api/v1/inventory/filings/zero", { body: { statement } })))
}

export function keepFiling(id: number): Promise<Filing> {
  return as(unwrap(api.POST("/api/v1/inventory/filings/{filing_id}/keep", { params: path(id) })))
}

export function submitFiling(id: number, validRowsOnly: boolean): Promise<Filing> {
  const body = { valid_rows_only: validRowsOnly }
  return as(unwrap(api.POST("/api/v1/inventory/filings/{filing_id}/submit", { params: path(id), body })))
}

export function cancelFiling(id: number): Promise<Filing> {
  return as(unwrap(api.POST("/api/v1/inventory/filings/{filing_id}/cancel", { params: path(id) })))
}

/** `confirm`: what the filing cautions of was read. */
export function acceptFiling(id: number, comment: string, confirm: boolean): Promise<Filing> {
  return as(
    unwrap(api.POST("/api/v1/inventory/filings/{filing_id}/accept", { params: path(id), body: { comment, confirm } })),
  )
}

export function sendBackFiling(id: number, reason: string): Promise<Filing> {
  return as(unwrap(api.POST("/api/v1/inventory/filings/{filing_id}/send-back", { params: path(id), body: { reason } })))
}

export function reconcile(organisation: string): Promise<Reconciliation> {
  const query = { organisation }
  return unwrap(api.GET("/api/v1/inventory/reconciliation", { params: { query } })) as Promise<Reconciliation>
}
