import { computed } from "vue"
import type { VocabularyItem } from "@/core/api/types"
import { pick } from "@/core/i18n"
import { useObject } from "@/core/paging/useObject"
import { getVocabulary } from "./api"

export interface Choice {
  value: string
  text: string
}

function choices(items: VocabularyItem[] | undefined): Choice[] {
  return (items ?? []).map((item) => ({ value: item.code, text: pick(item) }))
}

/** Preset purposes, bases and refusal reasons, in the reader's language; free text is always possible. */
export function useVocabulary() {
  const vocabulary = useObject(["vocabulary"], getVocabulary)
  const purposes = computed(() => choices(vocabulary.data.value?.purposes))
  const legalBases = computed(() => choices(vocabulary.data.value?.legal_bases))
  const refusals = computed(() => choices(vocabulary.data.value?.refusals))

  /** The words for a reason's code; free text stands for itself. */
  function refusalText(value: string): string {
    return refusals.value.find((choice) => choice.value === value)?.text ?? value
  }
  return { purposes, legalBases, refusals, refusalText }
}
