# A whole Fargate service with ESP beside it. For a service that you already have,
# copy the lines that name module.esp, and module.scaling.

provider "aws" {
  region = var.region
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  service_name = "web"
}

module "esp" {
  source = "../sidecar"

  image          = var.esp_image
  container_name = "web"
  namespace      = var.namespace
  service_name   = local.service_name
  task_role_name = aws_iam_role.task.name
  log_group_name = aws_cloudwatch_log_group.service.name
  region         = var.region
  environment    = var.esp_environment
}

module "scaling" {
  source = "../scaling"

  cluster_name = var.cluster_name
  service_name = aws_ecs_service.web.name
  namespace    = module.esp.namespace

  hot_task_alarm = var.hot_task_alarm
}

module "endpoints" {
  source = "../endpoints"
  count  = length(var.endpoints) > 0 ? 1 : 0

  region                    = var.region
  vpc_id                    = var.vpc_id
  subnet_ids                = var.subnet_ids
  services                  = var.endpoints
  route_table_ids           = var.endpoint_route_table_ids
  client_security_group_ids = [aws_security_group.tasks.id]
}

resource "aws_ecs_task_definition" "web" {
  family                   = "web"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 512
  memory                   = 1024
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }

  container_definitions = jsonencode([local.web, module.esp.container_definition])
}

locals {
  web = {
    name         = "web"
    image        = var.web_image
    essential    = true
    cpu          = 480
    portMappings = [{ containerPort = 8080, protocol = "tcp" }]
    healthCheck = {
      command     = ["CMD-SHELL", "curl -f http://localhost:8080/ || exit 1"]
      interval    = 10
      timeout     = 5
      retries     = 3
      startPeriod = 60
    }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.service.name
        awslogs-region        = var.region
        awslogs-stream-prefix = "web"
      }
    }
  }
}

resource "aws_ecs_service" "web" {
  name            = local.service_name
  cluster         = var.cluster_name
  task_definition = aws_ecs_task_definition.web.arn
  launch_type     = "FARGATE"
  desired_count   = 2

  # A deployment whose tasks do not start or are unhealthy goes back to the last one
  # that worked.
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets         = var.subnet_ids
    security_groups = [aws_security_group.tasks.id]
  }

  # A task needs these when it starts, and nothing above refers to them. ESP's
  # permission comes with the container's definition.
  depends_on = [
    aws_iam_role_policy_attachment.execution,
    aws_vpc_security_group_egress_rule.https,
    module.endpoints,
  ]

  lifecycle {
    # Otherwise every apply would undo the scaling.
    ignore_changes = [desired_count]
  }
}

resource "aws_security_group" "tasks" {
  name_prefix = "web-tasks-"
  description = "The tasks of web"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.tasks.id
  description       = "HTTPS: the registry, the log, CloudWatch"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_cloudwatch_log_group" "service" {
  name              = "/ecs/${var.cluster_name}/web"
  retention_in_days = 30
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_iam_role" "task" {
  name_prefix        = "web-task-"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role" "execution" {
  name_prefix        = "web-execution-"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}
