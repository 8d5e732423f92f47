import { createRouter, createWebHashHistory, type Router } from 'vue-router'

/** Pages by address: `#/c/<cluster>/<page>`; a resource's table is `#/c/<cluster>/r/<resource>`. Each page is loaded when first opened. */
export function createPageRouter(): Router {
  return createRouter({
    history: createWebHashHistory(),
    routes: [
      { path: '/', name: 'start', component: () => import('./pages/StartPage.vue') },
      {
        path: '/c/:cluster',
        children: [
          { path: '', redirect: (to) => ({ name: 'overview', params: to.params }) },
          { path: 'overview', name: 'overview', component: () => import('./pages/OverviewPage.vue') },
          { path: 'r/:resource', name: 'resource', component: () => import('./pages/ResourcePage.vue') },
          { path: 'metrics', name: 'metrics', component: () => import('./pages/MetricsPage.vue') },
          { path: 'apply', name: 'apply', component: () => import('./pages/ApplyPage.vue') },
          { path: 'backups', name: 'backups', component: () => import('./pages/BackupsPage.vue') },
          { path: 'compare', name: 'compare', component: () => import('./pages/ComparePage.vue') },
          { path: 'etcd', name: 'etcd', component: () => import('./pages/EtcdPage.vue') },
          { path: 'certificates', name: 'certificates', component: () => import('./pages/CertificatesPage.vue') },
          { path: 'access', name: 'access', component: () => import('./pages/AccessPage.vue') },
          { path: 'manifest', name: 'manifest', component: () => import('./pages/ManifestPage.vue') },
          { path: 'restore', name: 'restore', component: () => import('./pages/RestorePage.vue') },
          { path: 'drain', name: 'drain', component: () => import('./pages/DrainPage.vue') },
          { path: 'upgrade', name: 'upgrade', component: () => import('./pages/UpgradePage.vue') },
          { path: 'runbooks', name: 'runbooks', component: () => import('./pages/RunbooksPage.vue') },
          { path: 'settings', name: 'settings', component: () => import('./pages/SettingsPage.vue') },
        ],
      },
      { path: '/:rest(.*)', redirect: '/' },
    ],
  })
}
