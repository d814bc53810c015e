import type { Camera, Filing, FilingRow, FindingPage, FormField, Page } from "@/core/api/types"
import { http } from "@/core/request/http"
import { upload } from "@/core/request/upload"

const at = (id: number): string => `/inventory/filings/${String(id)}`

export interface Reconciliation {
  declared_unseen: Camera[]
  seen_undeclared: {
    peer: { id: number; name: string } | string | null
    code: string
    name: string
    longitude: number | null
    latitude: number | null
    status: string
  }[]
  matched: number
}

export const listFilings = (filter: Record<string, string>, cursor?: string): Promise<Page<Filing>> =>
  http.get("/inventory/filings", { ...filter, cursor, limit: 50 })
export const getFiling = (id: number): Promise<Filing> => http.get(at(id))
export const listRows = (id: number, query: Record<string, string | number>, cursor?: string): Promise<Page<FilingRow>> =>
  http.get(`${at(id)}/rows`, { limit: 500, ...query, cursor })
export const listFindings = (id: number, query: Record<string, string>, cursor?: string): Promise<FindingPage> =>
  http.get(`${at(id)}/findings`, { limit: 200, ...query, cursor })

/** The form as data: its columns by sheet, in their order, and its rules by id. */
export interface FormDescription {
  columns: Record<string, FormField[]>
  rules: Record<string, string>
}

export async function describeForm(): Promise<FormDescription> {
  const { tables, rules } = await http.get<{
    tables: { sheet: string; fields: FormField[] }[]
    rules: { id: string; title: string }[]
  }>("/inventory/fields")
  return {
    columns: Object.fromEntries(tables.map(({ sheet, fields }) => [sheet, fields])),
    rules: Object.fromEntries(rules.map(({ id, title }) => [id, title])),
  }
}

export function uploadForm(
  file: File,
  organisation: string,
  options: { onProgress: (share: number) => void; signal: AbortSignal },
): Promise<Filing> {
  const form = new FormData()
  form.set("file", file)
  if (organisation !== "") form.set("organisation", organisation)
  form.set("dry_run", "true")
  return upload("/inventory/filings", form, options)
}

export const zeroReport = (organisation: string, statement: string): Promise<Filing> =>
  http.post("/inventory/filings/zero", { ...(organisation === "" ? {} : { organisation }), statement })
export const keepFiling = (id: number): Promise<Filing> => http.post(`${at(id)}/keep`)
export const submitFiling = (id: number, validRowsOnly: boolean): Promise<Filing> =>
  http.post(`${at(id)}/submit`, { valid_rows_only: validRowsOnly })
export const cancelFiling = (id: number): Promise<Filing> => http.post(`${at(id)}/cancel`)
export const acceptFiling = (id: number, comment: string): Promise<Filing> => http.post(`${at(id)}/accept`, { comment })
export const sendBackFiling = (id: number, reason: string): Promise<Filing> => http.post(`${at(id)}/send-back`, { reason })
export const reconcile = (organisation: string): Promise<Reconciliation> =>
  http.get("/inventory/reconciliation", { organisation })
