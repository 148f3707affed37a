# CloudWatch inside a VPC: the way to it from subnets without a NAT gateway. One
# a VPC, for everything in it that publishes or reads metrics.

resource "aws_security_group" "monitoring" {
  name_prefix = "monitoring-endpoint-"
  description = "HTTPS from those that publish metrics"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "https" {
  count = length(var.client_security_group_ids)

  security_group_id            = aws_security_group.monitoring.id
  referenced_security_group_id = var.client_security_group_ids[count.index]
  description                  = "HTTPS"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_endpoint" "monitoring" {
  vpc_id             = var.vpc_id
  service_name       = "com.amazonaws.${var.region}.monitoring"
  vpc_endpoint_type  = "Interface"
  subnet_ids         = var.subnet_ids
  security_group_ids = [aws_security_group.monitoring.id]

  # The usual host name then leads here, and ESP needs no setting. The VPC needs
  # DNS resolution and DNS host names for it.
  private_dns_enabled = true
}
