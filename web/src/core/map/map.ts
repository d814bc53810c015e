import type { Map as LibreMap, Marker } from "maplibre-gl"
import workerUrl from "maplibre-gl/dist/maplibre-gl-csp-worker.js?url"
import { locale } from "@/core/i18n"
import type { Box, Place } from "./geometry"
import { CITY_BOX, districts, ENGLISH_NAMES, labelPlace, mapStyle } from "./style"
import type { MapMarker, MapView } from "./types"

export interface GongshiMap {
  setMarkers: (markers: MapMarker[]) => void
  fit: (box: Box) => void
  zoomTo: (place: Place, zoom: number) => void
  unproject: (point: { x: number; y: number }) => Place
  restyle: () => void
  relabel: () => void
  remove: () => void
}

interface Options {
  box?: Box
  onMove: (view: MapView) => void
  onPress: (marker: MapMarker) => void
  zoomInLabel: () => string
  zoomOutLabel: () => string
}

export function hasWebGl(): boolean {
  try {
    return document.createElement("canvas").getContext("webgl2") !== null
  } catch {
    return false
  }
}

/** A tile server may be named by the operator, for example Tianditu; without one the outlines stand alone. */
function tileUrl(): string | null {
  return document.querySelector<HTMLMetaElement>('meta[name="gongshi-tiles"]')?.content ?? null
}

function element(marker: MapMarker, press: (marker: MapMarker) => void): HTMLElement {
  const button = document.createElement("button")
  button.type = "button"
  button.className = `gs-marker ${marker.kind} ${marker.tone ?? ""} ${marker.sensitive ? "sensitive" : ""}`
  button.setAttribute("aria-label", marker.label)
  button.title = marker.label
  button.dataset["marker"] = marker.id
  if (marker.text !== undefined) button.textContent = marker.text
  button.addEventListener("click", (event) => {
    event.stopPropagation()
    press(marker)
  })
  return button
}

export async function createMap(container: HTMLElement, options: Options): Promise<GongshiMap> {
  // The build with a worker of its own: a bundler may rename what the one-file build copies into its worker.
  const [{ default: maplibre }] = await Promise.all([
    import("maplibre-gl/dist/maplibre-gl-csp"),
    import("maplibre-gl/dist/maplibre-gl.css"),
  ])
  maplibre.setWorkerUrl(workerUrl)
  const map: LibreMap = new maplibre.Map({
    container,
    style: mapStyle(tileUrl()),
    bounds: [...(options.box ?? CITY_BOX)] as [number, number, number, number],
    fitBoundsOptions: { padding: 24, maxZoom: 15 },
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    minZoom: 6,
    maxZoom: 19,
    fadeDuration: 0,
    locale: {
      "NavigationControl.ZoomIn": options.zoomInLabel(),
      "NavigationControl.ZoomOut": options.zoomOutLabel(),
    },
  })
  map.touchZoomRotate.disableRotation()
  map.addControl(new maplibre.NavigationControl({ showCompass: false }), "top-right")
  map.addControl(new maplibre.ScaleControl({}), "bottom-left")

  const shown = new Map<string, { marker: Marker; key: string }>()
  let labels: Marker[] = []
  let moved: ReturnType<typeof setTimeout> | undefined

  function tell(): void {
    const bounds = map.getBounds()
    options.onMove({
      box: [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()],
      zoom: map.getZoom(),
    })
  }
  map.on("moveend", () => {
    clearTimeout(moved)
    moved = setTimeout(tell, 120)
  })
  map.once("load", tell)
  // Drawn to the end: what a test or a printed page may wait for.
  map.on("idle", () => (container.dataset["drawn"] = "true"))
  for (const begun of ["dataloading", "movestart"] as const) map.on(begun, () => delete container.dataset["drawn"])
  const resizer = new ResizeObserver(() => map.resize())
  resizer.observe(container)

  function relabel(): void {
    for (const [name, text] of [["in", options.zoomInLabel()], ["out", options.zoomOutLabel()]] as const) {
      const button = container.querySelector<HTMLElement>(`.maplibregl-ctrl-zoom-${name}`)
      button?.setAttribute("aria-label", text)
      button?.setAttribute("title", text)
    }
    for (const label of labels) label.remove()
    labels = districts.features.map((feature) => {
      const text = document.createElement("span")
      text.className = "gs-district"
      const { code, name } = feature.properties
      text.textContent = locale.value === "en" ? (ENGLISH_NAMES[code] ?? name) : name
      text.setAttribute("aria-hidden", "true")
      return new maplibre.Marker({ element: text }).setLngLat([...labelPlace(feature.geometry.coordinates)]).addTo(map)
    })
    // The library names every marker element; these are scenery.
    for (const label of labels) label.getElement().removeAttribute("aria-label")
  }
  relabel()

  return {
    setMarkers(markers) {
      const wanted = new Set(markers.map((marker) => marker.id))
      for (const [id, entry] of shown) {
        if (!wanted.has(id)) {
          entry.marker.remove()
          shown.delete(id)
        }
      }
      for (const item of markers) {
        const key = JSON.stringify(item)
        const old = shown.get(item.id)
        if (old?.key === key) continue
        old?.marker.remove()
        const node = element(item, options.onPress)
        const marker = new maplibre.Marker({
          element: node,
          offset: item.offset ? [item.offset.x, item.offset.y] : [0, 0],
        })
          .setLngLat([item.place[0], item.place[1]])
          .addTo(map)
        node.setAttribute("aria-label", item.label)
        node.removeAttribute("role")
        shown.set(item.id, { marker, key })
      }
    },
    fit(box) {
      map.fitBounds([...box] as [number, number, number, number], { padding: 40, maxZoom: 17, duration: 0 })
    },
    zoomTo(place, zoom) {
      map.jumpTo({ center: [place[0], place[1]], zoom })
    },
    unproject(point) {
      const { lng, lat } = map.unproject([point.x, point.y])
      return [lng, lat]
    },
    restyle() {
      map.setStyle(mapStyle(tileUrl()))
    },
    relabel,
    remove() {
      resizer.disconnect()
      clearTimeout(moved)
      map.remove()
    },
  }
}
