# The sidecar's container and the permission that it needs. The module ../scaling
# scales the service on its metric.

resource "aws_iam_role_policy" "publish" {
  name = "esp-publish"
  role = var.task_role_name

  # PutMetricData has no resource to restrict, so a condition restricts the namespace.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "cloudwatch:PutMetricData"
      Resource  = "*"
      Condition = { StringEquals = { "cloudwatch:namespace" = var.namespace } }
    }]
  })
}

locals {
  environment = merge(
    { CONTAINER_NAME = var.container_name, NAMESPACE = var.namespace },
    var.service_name == null ? {} : { SERVICE_NAME = var.service_name },
    var.environment,
  )

  # ../../README.md has the reason for each.
  container_definition = {
    name          = "esp"
    image         = var.image
    essential     = false
    restartPolicy = { enabled = true, ignoredExitCodes = [64], restartAttemptPeriod = 60 }
    dependsOn     = [{ containerName = var.container_name, condition = "START" }]
    healthCheck = {
      command     = ["CMD", "/esp", "health"]
      interval    = 30
      timeout     = 5
      retries     = 3
      startPeriod = 60
    }
    cpu                    = 32
    memory                 = 64
    user                   = "65532:65532"
    readonlyRootFilesystem = true
    linuxParameters        = { capabilities = { drop = ["ALL"] } }
    environment            = [for name, value in local.environment : { name = name, value = value }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = var.log_group_name
        awslogs-region        = var.region
        awslogs-stream-prefix = "esp"
        mode                  = "non-blocking"
        max-buffer-size       = "1m"
      }
    }
  }
}
