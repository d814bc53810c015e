import { defineStore } from "pinia"
import { computed, ref } from "vue"
import type { Me } from "@/core/api/types"
import { closeEvents, openEvents } from "@/core/events/stream"
import { nameOf } from "@/core/i18n/format"
import { api, unwrap } from "@/core/request/http"
import { ApiProblem } from "@/core/request/problem"
import { queryClient } from "@/core/request/query"

/** Remembers only that a login was made here, so that a first visit does not ask for what cannot be there. */
const STORED = "gongshi.signedIn"

/** Who I am and for which unit; the server stays the judge of what I may do. */
export const useMe = defineStore("me", () => {
  const me = ref<Me | null>(null)
  const asked = ref(false)

  const signedIn = computed(() => me.value !== null)
  const unitName = computed(() => (me.value ? nameOf(me.value.organisation) : ""))

  /** True when one of the names is among my permissions. */
  function can(...names: string[]): boolean {
    const mine = me.value?.permissions ?? []
    return names.some((name) => mine.includes(name))
  }

  function hasRole(...roles: string[]): boolean {
    const mine = me.value?.roles ?? []
    return roles.some((role) => mine.includes(role))
  }

  async function load(): Promise<void> {
    if (localStorage.getItem(STORED) === null) {
      asked.value = true
      return
    }
    try {
      me.value = await unwrap(api.GET("/api/v1/me"))
      if (!me.value.must_change) openEvents()
    } catch (error) {
      if (!(error instanceof ApiProblem) || error.status !== 401) throw error
      forget()
    } finally {
      asked.value = true
    }
  }

  async function login(username: string, password: string): Promise<void> {
    await unwrap(api.POST("/api/v1/login", { body: { username, password } }))
    localStorage.setItem(STORED, "1")
    queryClient.clear()
    await load()
  }

  function forget(): void {
    localStorage.removeItem(STORED)
    me.value = null
    closeEvents()
    queryClient.clear()
  }

  async function logout(): Promise<void> {
    await unwrap(api.POST("/api/v1/logout")).catch(() => undefined)
    forget()
  }

  async function changePassword(old: string, next: string): Promise<void> {
    await unwrap(api.POST("/api/v1/me/password", { body: { old, new: next } }))
    await load()
  }

  return { me, asked, signedIn, unitName, can, hasRole, load, login, logout, forget, changePassword }
})
