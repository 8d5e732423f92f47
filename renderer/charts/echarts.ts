import { BarChart, LineChart } from 'echarts/charts'
import { AriaComponent, AxisPointerComponent, GridComponent, LegendComponent, TooltipComponent } from 'echarts/components'
import { init, use, type ECharts } from 'echarts/core'
import { CanvasRenderer } from 'echarts/renderers'

/** A chart on an element, with only the parts of ECharts that Drydock draws. This module is loaded when the first chart is. */
export function createChart(element: HTMLElement): ECharts {
  use([LineChart, BarChart, GridComponent, TooltipComponent, LegendComponent, AxisPointerComponent, AriaComponent, CanvasRenderer])
  return init(element)
}
