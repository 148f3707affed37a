# Step scaling on ESP's metric: out within seconds, in after minutes. The container
# that publishes the metric is the module ../sidecar.

locals {
  scalable = {
    service_namespace  = "ecs"
    resource_id        = "service/${var.cluster_name}/${var.service_name}"
    scalable_dimension = "ecs:service:DesiredCount"
  }

  # ESP's default dimensions. An alarm needs exactly these: CloudWatch does not
  # aggregate over dimensions.
  dimensions = {
    ClusterName = var.cluster_name
    ServiceName = var.service_name
  }
}

resource "aws_appautoscaling_target" "service" {
  # A service has one target; registering it again would change it.
  count = var.register_target ? 1 : 0

  service_namespace  = local.scalable.service_namespace
  resource_id        = local.scalable.resource_id
  scalable_dimension = local.scalable.scalable_dimension
  min_capacity       = var.min_capacity
  max_capacity       = var.max_capacity
}

resource "aws_appautoscaling_policy" "out" {
  depends_on = [aws_appautoscaling_target.service]

  name               = "${var.service_name}-out"
  policy_type        = "StepScaling"
  service_namespace  = local.scalable.service_namespace
  resource_id        = local.scalable.resource_id
  scalable_dimension = local.scalable.scalable_dimension

  step_scaling_policy_configuration {
    adjustment_type          = "PercentChangeInCapacity"
    min_adjustment_magnitude = 1
    metric_aggregation_type  = "Average"
    cooldown                 = var.scale_out_cooldown

    # Bounds count from the alarm's threshold.
    step_adjustment {
      metric_interval_lower_bound = 0
      metric_interval_upper_bound = 10
      scaling_adjustment          = 50
    }
    step_adjustment {
      metric_interval_lower_bound = 10
      scaling_adjustment          = 100
    }
  }
}

resource "aws_appautoscaling_policy" "in" {
  depends_on = [aws_appautoscaling_target.service]

  name               = "${var.service_name}-in"
  policy_type        = "StepScaling"
  service_namespace  = local.scalable.service_namespace
  resource_id        = local.scalable.resource_id
  scalable_dimension = local.scalable.scalable_dimension

  step_scaling_policy_configuration {
    adjustment_type          = "PercentChangeInCapacity"
    min_adjustment_magnitude = 1
    metric_aggregation_type  = "Average"
    cooldown                 = var.scale_in_cooldown

    step_adjustment {
      metric_interval_upper_bound = 0
      scaling_adjustment          = -10
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "out" {
  alarm_name        = "${var.service_name}-cpu-high"
  alarm_description = "${var.service_name} is to be scaled out"

  namespace   = var.namespace
  metric_name = "CPUUtilization"
  dimensions  = local.dimensions
  statistic   = "Average"

  period              = 10
  evaluation_periods  = 2
  datapoints_to_alarm = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.scale_out_threshold
  treat_missing_data  = "notBreaching" # no data is no load
  alarm_actions       = [aws_appautoscaling_policy.out.arn]
}

resource "aws_cloudwatch_metric_alarm" "in" {
  alarm_name        = "${var.service_name}-cpu-low"
  alarm_description = "${var.service_name} may be scaled in"

  namespace   = var.namespace
  metric_name = "CPUUtilization"
  dimensions  = local.dimensions
  statistic   = "Average"

  period              = 10
  evaluation_periods  = 30
  datapoints_to_alarm = 27
  comparison_operator = "LessThanThreshold"
  threshold           = var.scale_in_threshold
  treat_missing_data  = "missing" # never "breaching": silence would scale in
  alarm_actions       = [aws_appautoscaling_policy.in.arn]

  lifecycle {
    precondition {
      condition     = var.scale_in_threshold < var.scale_out_threshold / 2
      error_message = "scale_in_threshold must be less than half of scale_out_threshold: going from two tasks to one doubles the load of each, and would scale out again."
    }
  }
}

# An average hides one hot task. These add one task at a time: with the steps of the
# policy above, a task that stays hot would drive the service to its greatest size.
resource "aws_appautoscaling_policy" "hot" {
  count      = var.hot_task_alarm == "none" ? 0 : 1
  depends_on = [aws_appautoscaling_target.service]

  name               = "${var.service_name}-hot"
  policy_type        = "StepScaling"
  service_namespace  = local.scalable.service_namespace
  resource_id        = local.scalable.resource_id
  scalable_dimension = local.scalable.scalable_dimension

  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    metric_aggregation_type = "Maximum"
    cooldown                = 300

    step_adjustment {
      metric_interval_lower_bound = 0
      scaling_adjustment          = 1
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "hot_maximum" {
  count = var.hot_task_alarm == "maximum" ? 1 : 0

  alarm_name        = "${var.service_name}-cpu-hot"
  alarm_description = "a task of ${var.service_name} is hot"

  namespace   = var.namespace
  metric_name = "CPUUtilization"
  dimensions  = local.dimensions
  statistic   = "Maximum"

  period              = 10
  evaluation_periods  = 7
  datapoints_to_alarm = 6
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 90
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_appautoscaling_policy.hot[0].arn]
}

resource "aws_cloudwatch_metric_alarm" "hot_p90" {
  count = var.hot_task_alarm == "p90" ? 1 : 0

  alarm_name        = "${var.service_name}-cpu-hot"
  alarm_description = "a tenth of ${var.service_name}'s tasks is hot"

  namespace          = var.namespace
  metric_name        = "CPUUtilization"
  dimensions         = local.dimensions
  extended_statistic = "p90"

  # Fewer than 100 samples in a period change nothing: five tasks with a sample a second.
  evaluate_low_sample_count_percentiles = "ignore"

  period              = 30
  evaluation_periods  = 2
  datapoints_to_alarm = 2
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 80
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_appautoscaling_policy.hot[0].arn]
}
