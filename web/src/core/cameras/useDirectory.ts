import { computed } from "vue"
import { useObject } from "@/core/paging/useObject"
import { locale } from "@/core/i18n"
import { listOrganisations, listRegions } from "./api"

/** Regions and organisations, for choices and names; they change seldom. */
export function useDirectory() {
  const regions = useObject(["regions"], listRegions)
  const organisations = useObject(["organisations"], listOrganisations)
  const regionOptions = computed(() =>
    (regions.data.value ?? [])
      .filter((region) => region.level === "county" && region.usable)
      .map((region) => ({ value: region.code, label: region.name })),
  )
  const organisationOptions = computed(() =>
    (organisations.data.value ?? []).map((organisation) => ({
      value: organisation.code,
      label: locale.value === "en" && organisation.name_en ? organisation.name_en : organisation.name,
    })),
  )
  return { regionOptions, organisationOptions, organisations: organisations.data }
}
