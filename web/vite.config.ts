import { fileURLToPath } from "node:url"
import vue from "@vitejs/plugin-vue"
import { defineConfig } from "vitest/config"
import { mockApi } from "./mock/plugin"

/** Where `npm run dev` finds a node; `npm run dev:mocked` needs none. */
const NODE = process.env["GONGSHI_URL"] ?? "http://127.0.0.1:8000"

export default defineConfig(({ mode }) => ({
  plugins: [vue(), ...(mode === "mocked" ? [mockApi()] : [])],
  resolve: { alias: { "@": fileURLToPath(new URL("src", import.meta.url)) } },
  server: {
    port: 5173,
    ...(mode === "mocked" ? {} : { proxy: { "/api": NODE, "/media": NODE, "/healthz": NODE, "/readyz": NODE } }),
  },
  build: {
    outDir: "../src/gongshi/web_dist",
    emptyOutDir: true,
    target: "es2022",
    // The map and the player are each one library; they load with the page that needs them.
    chunkSizeWarningLimit: 1200,
    assetsInlineLimit: 0,
  },
  test: { environment: "happy-dom", include: ["src/**/*.test.ts", "tests/**/*.test.ts"] },
}))
