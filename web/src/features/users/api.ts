import type { Account, Page, Role } from "@/core/api/types"
import { http } from "@/core/request/http"

export interface NewAccount {
  username: string
  display_name: string
  organisation: string
  roles: string[]
}

export const listAccounts = (filter: Record<string, string>, cursor?: string): Promise<Page<Account>> =>
  http.get("/accounts", { ...filter, cursor, limit: 50 })
export async function listRoles(): Promise<Role[]> {
  const answer = await http.get<Page<Role> | Role[]>("/roles")
  return Array.isArray(answer) ? answer : answer.items
}
export const createAccount = (body: NewAccount): Promise<{ account: Account; password: string }> => http.post("/accounts", body)
export const changeAccount = (id: number, body: Record<string, unknown>): Promise<Account> =>
  http.patch(`/accounts/${String(id)}`, body)
export const resetPassword = (id: number): Promise<{ password: string }> =>
  http.post(`/accounts/${String(id)}/reset-password`)
