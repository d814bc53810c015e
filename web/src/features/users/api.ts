import type { Account, AccountChanges, NewAccount, Page, Role } from "@/core/api/types"
import { api, unwrap } from "@/core/request/http"

const path = (id: number): { path: { account_id: number } } => ({ path: { account_id: id } })

export function listAccounts(q: string, cursor?: string): Promise<Page<Account>> {
  return unwrap(api.GET("/api/v1/accounts", { params: { query: { q, cursor, limit: 50 } } }))
}

export function listRoles(): Promise<Role[]> {
  return unwrap(api.GET("/api/v1/roles"))
}

/** The first password of a new account; it is told once. */
export async function createAccount(body: NewAccount): Promise<string> {
  return (await unwrap(api.POST("/api/v1/accounts", { body }))).password
}

export function changeAccount(id: number, body: AccountChanges): Promise<Account> {
  return unwrap(api.PATCH("/api/v1/accounts/{account_id}", { params: path(id), body }))
}

export async function resetPassword(id: number): Promise<string> {
  return (await unwrap(api.POST("/api/v1/accounts/{account_id}/reset-password", { params: path(id) }))).password
}
