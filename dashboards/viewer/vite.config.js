// Bundles the viewer into dist/. Grafana's packages ask for some of Node's globals, which a browser does not have.
import { defineConfig } from 'vite';

export default defineConfig({
  base: '/',
  define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
  build: { outDir: 'dist', chunkSizeWarningLimit: 20_000, sourcemap: false },
});
