import { createPinia } from 'pinia'
import { createApp } from 'vue'
import { SystemClock } from '#shared/base/clock.ts'
import App from './App.vue'
import { connect } from './ipc/connect.ts'
import { createTexts } from './locales/texts.ts'
import { createPageRouter } from './router.ts'
import { useClusters } from './stores/clusters.ts'
import { useLine } from './stores/line.ts'
import { usePreferences } from './stores/preferences.ts'
import './styles/fonts.css'
import './styles/tokens.css'
import './styles/base.css'
import './styles/controls.css'

const pinia = createPinia()
// Before the router, which makes the address its own: the token stands in it.
const client = await connect({ clock: new SystemClock(), random: Math.random })
const app = createApp(App).use(pinia).use(createTexts()).use(createPageRouter())
useLine(pinia).attach(client)
client.start()
usePreferences(pinia).start()
useClusters(pinia).start()
app.mount('#app')
