/// <reference types="vite/client" />

declare module "maplibre-gl/dist/maplibre-gl-csp" {
  import maplibre from "maplibre-gl"
  export default maplibre
}

declare module "*.vue" {
  import type { DefineComponent } from "vue"
  const component: DefineComponent
  export default component
}
