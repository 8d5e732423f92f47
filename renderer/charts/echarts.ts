import { BarChart, LineChart } from 'echarts/charts'
import { AriaComponent, AxisPointerComponent, GridComponent, LegendComponent, TooltipComponent } from 'echarts/components'
import { connect, init, use, type ECharts } from 'echarts/core'
import { CanvasRenderer } from 'echarts/renderers'

/** A chart on an element, with only the parts of ECharts that Drydock draws; charts of one group share their cursor. This module is loaded when the first chart is. */
export function createChart(element: HTMLElement, group: string): ECharts {
  use([LineChart, BarChart, GridComponent, TooltipComponent, LegendComponent, AxisPointerComponent, AriaComponent, CanvasRenderer])
  const chart = init(element)
  chart.group = group
  connect(group)
  return chart
}
