import { createRouter, createWebHistory } from "vue-router"
import { whenLoggedOut, whenPasswordMustChange } from "@/core/request/http"
import { useMe } from "@/core/session/me"
import { routes } from "./routes"

declare module "vue-router" {
  interface RouteMeta {
    /** Without the frame, for people who are not signed in yet. */
    bare?: boolean
    /** Any one of these permissions leads in; the server refuses anyway. */
    needs?: string[]
  }
}

export const router = createRouter({
  history: createWebHistory(),
  routes,
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
})

router.beforeEach(async (to) => {
  const me = useMe()
  // A node that cannot answer is said on the page itself, not by a login form.
  if (!me.asked) await me.load().catch(() => undefined)
  if (to.name === "login") return me.signedIn ? { path: "/" } : true
  if (!me.signedIn) return { name: "login", query: to.fullPath === "/" ? {} : { next: to.fullPath } }
  if (me.me?.must_change && to.name !== "password") return { name: "password" }
  if (to.meta.needs && !me.can(...to.meta.needs)) return { name: "forbidden", query: { of: to.fullPath } }
  return true
})

whenLoggedOut(() => {
  const me = useMe()
  if (!me.signedIn) return
  me.forget()
  const from = router.currentRoute.value
  if (from.name !== "login") void router.push({ name: "login", query: { next: from.fullPath, ended: "1" } })
})

whenPasswordMustChange(() => {
  void router.push({ name: "password" })
})
