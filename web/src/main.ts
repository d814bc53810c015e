import { VueQueryPlugin } from "@tanstack/vue-query"
import { createPinia } from "pinia"
import { createApp } from "vue"
import "element-plus/dist/index.css"
import "element-plus/theme-chalk/dark/css-vars.css"
import "@/core/theme/tokens.css"
import "@/core/theme/base.css"
import "@/core/map/map.css"
import App from "@/app/App.vue"
import { router } from "@/app/router"
import { i18n, locale, setLanguage } from "@/core/i18n"
import { queryClient } from "@/core/request/query"
import "@/core/theme/theme"

setLanguage(locale.value)
createApp(App).use(createPinia()).use(i18n).use(VueQueryPlugin, { queryClient }).use(router).mount("#app")
