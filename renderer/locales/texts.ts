import { createI18n } from 'vue-i18n'
import { en } from './en/en.ts'

/** Every text the person sees; English is the one that exists so far. */
export function createTexts() {
  return createI18n({ legacy: false, locale: 'en', fallbackLocale: 'en', messages: { en }, missingWarn: false, fallbackWarn: false })
}
